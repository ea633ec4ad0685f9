#!/bin/sh
# Runs the program of the same name under lib/ with that directory's own loader and libraries.
self=$(readlink -f "$0")
here=${self%/*}
name=${self##*/}
exec "$here/lib/ld-linux-x86-64.so.2" --argv0 "$name" --library-path "$here/lib" "$here/lib/$name" "$@"

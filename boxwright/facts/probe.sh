#!/bin/sh
# Prints one JSON document, schema boxwright.machine/1: what this machine is, decided by nobody.
#
# POSIX sh and awk, in one round trip and with few forks. SYSROOT=/tree reads a recorded tree: then
# every path lies under it and only tools inside the tree are run. Any file may be absent,
# unreadable or without a newline; what cannot be known is null.
# BOXWRIGHT_RUNTIME and BOXWRIGHT_UNIT name the directory of llama.cpp releases and our unit.
#
# The shell (probe.d/*.sh) lists directories, follows links, reads files and runs tools, each answer
# in its own section; awk (probe.awk, probe.d/*.awk) reads the sections and writes the document.
# shellcheck disable=SC2034,SC2154 # the parts share their variables
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
root=${SYSROOT:-}
while [ "${root%/}" != "$root" ]; do root=${root%/}; done
runtime=${BOXWRIGHT_RUNTIME:-/opt/llama.cpp}
unit=${BOXWRIGHT_UNIT:-llama-server.service}
cpu=$root/sys/devices/system/cpu

# alone: end a copy of this file without its parts, which could print half a report at most.
alone() {
    echo "probe.sh: its parts probe.awk and probe.d are not all in ${here:-this directory}, needed" \
        "beside it; copy the directory boxwright/facts whole and run the probe.sh in it" >&2
    exit 1
}

# Sent to a host, the parts stand before this text and the variable holds the awk program; run as a
# file, all of them lie beside it.
if [ -z "${BOXWRIGHT_PROGRAM:-}" ]; then
    here=$(readlink -f "$0") && here=${here%/*}
    for part in "$here"/probe.d/*.sh; do
        [ -r "$part" ] || alone
        # shellcheck source=/dev/null
        . "$part"
    done
    BOXWRIGHT_PROGRAM=$(cat "$here/probe.awk" "$here"/probe.d/*.awk 2>/dev/null) || alone
fi

# section NAME: what follows is its.
section() {
    printf '@probe %s\n' "$1"
}

# line FILE: its first line in $line, empty if it cannot be read.
line() {
    line=
    [ ! -f "$1" ] || IFS= read -r line <"$1"
}

# tool NAME: where it lies in $tool; in a recorded tree only the tree's own.
tool() {
    tool=
    if [ -z "$root" ]; then
        tool=$(command -v "$1") || tool=
        return
    fi
    for dir in usr/bin usr/sbin bin sbin; do
        [ ! -x "$root/$dir/$1" ] || { tool=$root/$dir/$1 && return; }
    done
}

# patiently COMMAND…: no tool may hold the probe up for ever.
patiently() {
    if command -v timeout >/dev/null; then timeout 20 "$@"; else "$@"; fi
}

collect() {
    kernel_name
    section given
    printf '%s\n%s\n%s\n' "$root" "$runtime" "$kernel"
    list_directories
    read_files
    ask_service
    ask_driver
    ask_cards
    ask_board
    [ -n "$root" ] || ask_disks
    if [ -z "$root" ]; then
        [ -r /proc/sys/kernel/arch ] || { section arch && uname -m; }
        grep -q GLIBC /usr/bin/ldd || { section glibc && getconf GNU_LIBC_VERSION; }
    fi
}

collect 2>/dev/null | awk "$BOXWRIGHT_PROGRAM"

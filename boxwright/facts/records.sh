# shellcheck shell=sh disable=SC2154
# What was measured here, line by line, as it was appended to $path.
[ ! -r "$path" ] || encode <"$path"

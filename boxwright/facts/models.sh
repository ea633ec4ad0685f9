# shellcheck shell=sh disable=SC2154  # its variables are set by the fact
# The files and stamps under $directory, as lines: `directory path`, `file size mtime path`,
# `stamp path content`.
LC_ALL=C
export LC_ALL
list_models() {
    while [ "${directory%/}" != "$directory" ] && [ "$directory" != / ]; do
        directory=${directory%/}
    done
    printf 'directory\t%s\n' "$directory"
    [ -d "$directory" ] || return 0
    find "$directory/" -type f ! -name boxwright.json -exec stat -c 'file	%s	%Y	%n' -- {} +
    set --
    for stamp in "$directory"/*/*/boxwright.json; do
        [ ! -f "$stamp" ] || set -- "$@" "$stamp"
    done
    [ $# = 0 ] || print_stamps "$@"
}
list_models 2>/dev/null | encode

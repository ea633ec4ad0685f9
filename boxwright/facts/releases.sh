# shellcheck shell=sh disable=SC2154  # its variables are set by the fact
# What lies under $directory: `current name`, `leftover name` and `stamp path content` lines.
LC_ALL=C
export LC_ALL
list_releases() {
    if [ -L "$directory/current" ] && [ -d "$directory/current/" ]; then
        current=$(readlink "$directory/current")
        while [ "${current%/}" != "$current" ]; do current=${current%/}; done
        printf 'current\t%s\n' "${current##*/}"
    fi
    set --
    for path in "$directory"/*; do
        if [ ! -d "$path" ] || [ -L "$path" ]; then continue; fi
        case $path in
        *.part) printf 'leftover\t%s\n' "${path##*/}" ;;
        *) [ ! -f "$path/boxwright.json" ] || set -- "$@" "$path/boxwright.json" ;;
        esac
    done
    [ $# = 0 ] || print_stamps "$@"
}
list_releases 2>/dev/null | encode

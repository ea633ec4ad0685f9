# shellcheck shell=sh
# print_stamps FILE…: one line `stamp<TAB>path<TAB>content` for each, its line breaks made spaces.
print_stamps() {
    awk '
        FNR == 1 { printf "%sstamp\t%s\t", (NR > 1 ? "\n" : ""), FILENAME }
        { gsub(/\t/, " "); printf "%s ", $0 }
        END { print "" }' "$@"
}

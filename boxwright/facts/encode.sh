# shellcheck shell=sh
# encode: pass text through with every byte that is not printable ASCII, a tab or a newline as %XX.
# pyinfra reads answers as strict UTF-8, and a file name or a damaged file may hold any byte.
encode() {
    tr -d '\000' | LC_ALL=C awk '
        BEGIN { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = sprintf("%%%02X", i) }
        /[^\t !"#$&-~]/ {
            out = ""
            for (i = 1; i <= length($0); i++) {
                c = substr($0, i, 1)
                out = out (c ~ /[\t !"#$&-~]/ ? c : code[c])
            }
            $0 = out
        }
        { print }'
}

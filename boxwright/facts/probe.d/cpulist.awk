# Sets of CPUs: lists such as 0-3,8 and hexadecimal masks.
# The members of a CPU list such as 0-3,8 as keys of `set`; says how many.
function expand(list, set,    parts, n, i, ends, cpu) {
    split("", set)
    n = split(list, parts, ",")
    for (i = 1; i <= n; i++) {
        if (parts[i] !~ /^[0-9]+(-[0-9]+)?$/) continue
        if (split(parts[i], ends, "-") == 1) ends[2] = ends[1]
        for (cpu = ends[1] + 0; cpu <= ends[2] + 0; cpu++) set[cpu] = 1
    }
}
# The list for a hexadecimal mask such as 00000000,00000101.
function list_of(mask,    i, digit, bit, cpu, list, start) {
    gsub(/[^0-9a-fA-F]/, "", mask)
    start = -1
    for (i = length(mask); i >= 0; i--) {
        digit = i ? index("123456789abcdef", tolower(substr(mask, i, 1))) : 0
        for (bit = 1; bit <= 8; bit *= 2) {
            if (int(digit / bit) % 2) { if (start < 0) start = cpu + 0 }
            else if (start >= 0) {
                list = list (list == "" ? "" : ",") start (cpu - 1 > start ? "-" (cpu - 1) : "")
                start = -1
            }
            cpu++
        }
    }
    return list
}
# Numbers with spaces between as a CPU list.
function sorted(text,    words, n, i, set, top, mask, cpu, start, list) {
    n = split(text, words, " ")
    for (i = 1; i <= n; i++) { set[words[i] + 0] = 1; if (words[i] + 0 > top) top = words[i] + 0 }
    start = -1
    for (cpu = 0; n && cpu <= top + 1; cpu++) {
        if (cpu in set) { if (start < 0) start = cpu }
        else if (start >= 0) {
            list = list (list == "" ? "" : ",") start (cpu - 1 > start ? "-" (cpu - 1) : "")
            start = -1
        }
    }
    return list
}
# A set of CPUs by the first of these topology files that is there, as the newer or older kernel
# names them.
function cpu_set(dir, newer, older,    text) {
    dir = dir "/topology/"
    if ((text = get(dir newer "_list")) != "") return text
    if ((text = get(dir older "_list")) != "") return text
    if ((text = list_of(get(dir newer))) != "") return text
    return list_of(get(dir older))
}

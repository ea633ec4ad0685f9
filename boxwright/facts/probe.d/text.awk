# Reading the sections and writing JSON: what the other parts share.
# The first line of a file, empty if it could not be read.
function get(path,    text) {
    text = content[path, 1]
    gsub(/^[ \t]+|[ \t\r]+$/, "", text)
    return text
}
function unicode(point) {
    if (point < 65536) return sprintf("\\u%04x", point)
    point -= 65536
    return sprintf("\\u%04x\\u%04x", 55296 + int(point / 1024), 56320 + point % 1024)
}
# The code point of the UTF-8 character at i, its bytes in `width`; bytes that are none are U+FFFD.
function decode(text, i,    lead, more, point, k, byte) {
    lead = byte_of[substr(text, i, 1)] + 0
    width = 1
    if (lead < 128) return lead
    more = lead >= 240 && lead < 245 ? 3 : lead >= 224 && lead < 240 ? 2 : lead >= 194 && lead < 224
    if (!more) return 65533
    point = lead % (more == 3 ? 8 : more == 2 ? 16 : 32)
    for (k = 1; k <= more; k++) {
        byte = byte_of[substr(text, i + k, 1)] + 0
        if (byte < 128 || byte > 191) return 65533
        point = point * 64 + byte % 64
    }
    if (point < (more == 3 ? 65536 : more == 2 ? 2048 : 128) || point > 1114111) return 65533
    if (point >= 55296 && point < 57344) return 65533
    width = more + 1
    return point
}
function quote(text,    out, i, c, point) {
    if (text ~ /^[ A-Za-z0-9_.,:;()@+\/=-]*$/) return "\"" text "\""
    if (!byte_of["A"]) for (i = 1; i < 256; i++) byte_of[sprintf("%c", i)] = i
    for (i = 1; i <= length(text); i += width) {
        point = decode(text, i)
        c = substr(text, i, 1)
        if (c == "\"" || c == "\\") out = out "\\" c
        else if (point < 32 || point > 126) out = out unicode(point)
        else out = out c
    }
    return "\"" out "\""
}
# One object at a time: begin, put its members, end. What nests is made before.
function begin() { object = "" }
function put(name, json) { object = object (object == "" ? "" : ", ") "\"" name "\": " json }
function end() { return "{" object "}" }
function known(text) { return text == "" ? "null" : quote(text) }
function comma(list, item) { return list (list == "" ? "" : ", ") item }
function mib(kib) { return sprintf("%d", kib / 1024) }
function natural(text) { return text ~ /^[0-9]+$/ }
function version_in(text) {
    return match(text, /[0-9]+\.[0-9]+(\.[0-9]+)?/) ? substr(text, RSTART, RLENGTH) : ""
}
section == "files" {
    if (/^==> .* <==$/) path = substr($0, 5, length($0) - 8)
    else content[path, ++length_of[path]] = $0
    next
}
section == "exists" { exists[$0] = 1 }

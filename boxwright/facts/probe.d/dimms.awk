# Memory modules, from the words of dmidecode or from the firmware table itself.
section == "dmidecode" {
    if (/^Memory Device/) { end_dimm(); split("", field); in_dimm = 1 }
    else if (/^[^ \t]/) end_dimm()
    else if ((colon = index($0, ": "))) {
        key = substr($0, 1, colon - 1)
        sub(/^[ \t]+/, "", key)
        field[key] = substr($0, colon + 2)
        sub(/[ \t]+$/, "", field[key])
    }
}
section == "dmitable" { for (i = 1; i <= NF; i++) byte[bytes++] = $i + 0 }
function dimm(size_mib, speed, type, place) {
    if (size_mib <= 0 || type == "Flash") return
    if (type == "Unknown" || type == "Other") type = ""
    gsub(/^ +| +$/, "", place)
    begin()
    put("size_mib", int(size_mib))
    put("speed_mts", speed > 0 ? speed : "null")
    put("type", known(type))
    put("slot", known(place))
    dimm_text = comma(dimm_text, end())
}
function end_dimm(    size) {
    if (!in_dimm) return
    in_dimm = 0
    if (field["Memory Technology"] ~ /Optane|NVDIMM-[FP]/ || field["Type"] ~ /non-volatile/) return
    size = field["Size"] + 0
    if (field["Size"] ~ /GB/) size *= 1024
    if (field["Size"] ~ /TB/) size *= 1048576
    if (field["Size"] ~ /kB/) size /= 1024
    speed = field["Configured Memory Speed"] + 0
    if (!speed) speed = field["Configured Clock Speed"] + 0
    if (!speed) speed = field["Speed"] + 0
    dimm(size, speed, field["Type"], field["Bank Locator"] " " field["Locator"])
}
function word(at) { return byte[at] + 256 * byte[at + 1] }
function wide(at) { return word(at) + 65536 * word(at + 2) }
# The text of that number among the strings behind the structure at `at`.
function dmi_text(at, which,    i, text) {
    if (!which) return ""
    for (i = at + byte[at + 1]; which > 1 && i < bytes; i++) if (!byte[i]) which--
    for (; i < bytes && byte[i]; i++) text = text sprintf("%c", byte[i])
    return text
}
function dmi_speed(at, short, long_,    speed) {
    if (byte[at + 1] < short + 2) return 0
    speed = word(at + short)
    if (speed == 65535) speed = byte[at + 1] >= long_ + 4 ? wide(at + long_) : 0
    return speed
}
# Memory devices of the SMBIOS table (type 17; DSP0134, section 7.18).
function read_dmi_table(    at, size, speed, text, parts, i, n, names, place, technology) {
    text = "9 Flash 18 DDR 19 DDR2 24 DDR3 26 DDR4 27 LPDDR 28 LPDDR2 29 LPDDR3 30 LPDDR4 31 Flash" \
        " 32 HBM 33 HBM2 34 DDR5 35 LPDDR5 36 HBM3"
    n = split(text, parts, " ")
    for (i = 1; i < n; i += 2) names[parts[i]] = parts[i + 1]
    for (at = 0; at + 4 <= bytes && byte[at] != 127 && byte[at + 1] >= 4; ) {
        if (byte[at] == 17 && byte[at + 1] >= 21) {
            size = word(at + 12)
            if (size == 65535) size = 0
            else if (size == 32767 && byte[at + 1] >= 32) size = wide(at + 28) % 2147483648
            else if (size >= 32768) size = (size - 32768) / 1024
            speed = dmi_speed(at, 32, 88)
            if (!speed) speed = dmi_speed(at, 21, 84)
            place = dmi_text(at, byte[at + 17]) " " dmi_text(at, byte[at + 16])
            # 5 to 7 keep what is written: NVDIMM-F, NVDIMM-P and Optane.
            technology = byte[at + 1] >= 41 ? byte[at + 40] : 0
            if (technology < 5 || technology > 7) dimm(size, speed, names[byte[at + 18]], place)
        }
        for (at += byte[at + 1]; at + 1 < bytes && (byte[at] || byte[at + 1]); at++) ;
        at += 2
    }
}
function dimms() {
    end_dimm()
    if (bytes) read_dmi_table()
    return dimm_text
}

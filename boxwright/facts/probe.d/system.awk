# The operating system, its firmware and what it runs inside.
section == "secureboot" && secure_byte == "" { secure_byte = $5 }
section == "arch" { machine_arch = $0 }
section == "glibc" { glibc_said = $0 }
function os_value(text) {
    gsub(/^[ \t]+|[ \t\r]+$/, "", text)
    if (text ~ /^".*"$/ || text ~ /^\047.*\047$/) text = substr(text, 2, length(text) - 2)
    gsub(/\\\\/, "\001", text)
    gsub(/\\/, "", text)
    gsub(/\001/, "\\", text)
    return text
}
function read_os(path,    i, text, at) {
    for (i = 1; i <= length_of[path]; i++) {
        text = content[path, i]
        if ((at = index(text, "=")) && text !~ /^[ \t]*#/)
            os[substr(text, 1, at - 1)] = os_value(substr(text, at + 1))
    }
}
function glibc(    path, i, text, found) {
    if (glibc_said != "") return version_in(glibc_said)
    path = root "/usr/bin/ldd"
    # Its own text, as ldd --version prints it; running it would cost a fork.
    for (i = 1; found == "" && i <= length_of[path]; i++) {
        text = content[path, i]
        if (text ~ /GLIBC|GNU libc/ && match(text, /[0-9]+\.[0-9]+[^0-9]*$/))
            found = version_in(substr(text, RSTART))
    }
    return found
}
function architecture(    text) {
    text = get(root "/proc/sys/kernel/arch")
    if (text == "") text = machine_arch
    if (text != "") return text
    if ((" " flags " ") ~ / lm /) return "x86_64"
    return arm ? "aarch64" : "unknown"
}
function init(    text) {
    if ("run/systemd/system" in exists) return "systemd"
    return get(root "/proc/1/comm")
}
function container(    text) {
    text = get(root "/run/systemd/container")
    if (text == "") text = get(root "/run/host/container-manager")
    if (text == "" && (".dockerenv" in exists)) text = "docker"
    if (text == "" && ("run/.containerenv" in exists)) text = "podman"
    if (text == "" && kernel ~ /[Mm]icrosoft/) text = "wsl"
    return text
}
function os_part() {
    read_os(root "/etc/os-release")
    if (!("ID" in os)) read_os(root "/usr/lib/os-release")
    begin()
    put("id", quote(os["ID"] == "" ? "linux" : os["ID"]))
    put("version_id", quote(os["VERSION_ID"]))
    put("codename", known(os["VERSION_CODENAME"]))
    put("kernel", quote(kernel))
    put("arch", quote(architecture()))
    put("glibc", known(glibc()))
    put("init", known(init()))
    return end()
}
function hostname(    text) {
    text = get(root "/proc/sys/kernel/hostname")
    if (text == "") text = get(root "/etc/hostname")
    return text == "" ? "unknown" : text
}
# Byte 5 of the variable is 1 where it is on; a machine that did not boot by EFI has none.
function secure_boot() {
    if (secure_byte != "") return secure_byte == 1 ? "true" : "false"
    if ("sys/firmware/efi" in exists) return "null"
    return ("sys/firmware" in exists) && container() == "" ? "false" : "null"
}

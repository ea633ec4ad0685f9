# Graphics cards: what the PCI bus tells, and nvidia-smi where a driver answers.
section == "cards" {
    card_dir[++cards] = substr($0, 1, index($0, "\t") - 1)
    card_driver[cards] = substr($0, index($0, "\t") + 1)
    next
}
section == "smi" && at == 1 { columns = split($0, column, ","); next }
section == "smi" && /^[0-9A-Fa-f]+:/ && split($0, part, /, */) == columns {
    pci = sysfs_address(part[1])
    for (i = 2; i <= columns; i++) smi[pci, column[i]] = part[i]
}
section == "apps" && /^[0-9A-Fa-f]+:/ {
    split($0, part, /, */)
    if (part[2] == service_pid) smi_ours[sysfs_address(part[1])] += part[3]
}
function hex_id(text) { text = tolower(text); sub(/^0x/, "", text); return text }
# D0 to D3cold by the kernel; older ones tell only that a device sleeps.
function power(dir,    text) {
    text = get(dir "/power_state")
    if (text ~ /^D[0-9]/) return text
    return get(dir "/power/runtime_status") == "suspended" ? "suspended" : ""
}
function lanes(path,    width) {
    width = get(path) + 0
    return width < 1 || width > 32 ? 0 : width
}
# Idle cards slow their link down, so what counts is the most that card and slot can do. A card
# without power answers every register with ones: 63 lanes, and the fastest speed there is.
function link_speed(dir,    speed, slot, now) {
    now = get(dir "/current_link_speed") + 0
    speed = get(dir "/max_link_width") + 0 > 32 ? 0 : get(dir "/max_link_speed") + 0
    slot = get(dir "/../max_link_speed") + 0
    # Ports of virtual machines claim less than what runs through them.
    if (slot && slot < speed && slot >= now) speed = slot
    if (speed < now) speed = now
    return speed ? sprintf("%.1f", speed) : "null"
}
# Only the width in use knows of risers and of slots with fewer wires; cards keep it while idle.
function link_width(dir,    width, slot) {
    if ((width = lanes(dir "/current_link_width"))) return width
    width = lanes(dir "/max_link_width")
    slot = lanes(dir "/../max_link_width")
    if (slot && slot < width) width = slot
    return width ? width : "null"
}
function card(i,    dir, pci, driver, path, k, subsystem, node, used) {
    dir = card_dir[i]
    pci = dir
    sub(/.*\//, "", pci)
    driver = card_driver[i]
    sub(/.*\//, "", driver)
    path = dir "/uevent"
    for (k = 1; driver == "" && k <= length_of[path]; k++)
        if (content[path, k] ~ /^DRIVER=/) driver = substr(content[path, k], 8)
    subsystem = hex_id(get(dir "/subsystem_vendor")) ":" hex_id(get(dir "/subsystem_device"))
    if (subsystem == ":") subsystem = ""
    node = get(dir "/numa_node")
    pci = tolower(pci)
    begin()
    put("pci", quote(pci))
    put("id", quote(hex_id(get(dir "/vendor")) ":" hex_id(get(dir "/device"))))
    put("subsystem", known(subsystem))
    put("class", known(tolower(get(dir "/class"))))
    put("driver", known(driver))
    put("numa_node", natural(node) ? node : "null")
    put("link_speed_gts", link_speed(dir))
    put("link_width", link_width(dir))
    put("power", known(power(dir)))
    put("name", known(usable(smi[pci, "name"])))
    put("vram_mib", whole(smi[pci, "memory.total"]))
    put("compute_cap", known(capability(smi[pci, "compute_cap"])))
    put("mig", mig(smi[pci, "mig.mode.current"]))
    used = whole(smi[pci, "memory.used"])
    put("vram_used_mib", used)
    put("vram_used_by_service_mib", used == "null" ? used : smi_ours[pci] + 0)
    return end()
}
function cards_part(    i, out) {
    for (i = 1; i <= cards; i++) out = comma(out, card(i))
    return "[" out "]"
}
# nvidia-smi writes the PCI domain with eight digits and in capitals.
function sysfs_address(text) {
    text = tolower(text)
    if (text ~ /^0000[0-9a-f][0-9a-f][0-9a-f][0-9a-f]:/) return substr(text, 5)
    sub(/^0+/, "", text)
    return text
}
# What it does not know it writes in brackets: [N/A], [Not Supported], [Unknown Error].
function usable(text) { return text ~ /^\[/ || text == "N/A" ? "" : text }
function whole(text) { return natural(text) ? text : "null" }
function capability(text) { return text ~ /^[0-9]+\.[0-9]+$/ ? text : "" }
function mig(text) { return text == "Enabled" ? "true" : text == "Disabled" ? "false" : "null" }

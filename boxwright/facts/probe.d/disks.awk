# Mounted file systems.
section == "mounts" {
    count = split($0, part, "\t")
    if (count < 3) next
    mounts++
    mount_type[mounts] = part[1]
    mount_options[mounts] = part[2]
    mount_name[mounts] = substr($0, length(part[1]) + length(part[2]) + 3)
    last_mount[mount_name[mounts]] = mounts
}
section == "sizes" && /^[0-9]+ [0-9]+ [0-9]+ \// { size_text[substr($0, index($0, "/"))] = $0 }
function size_mib(blocks, block_bytes) {
    return sprintf("%.0f", int(blocks * block_bytes / 1048576))
}
function disks_part(    i, mount, out, parts) {
    for (i = 1; i <= mounts; i++) {
        mount = mount_name[i]
        if (!(mount in size_text) || last_mount[mount] != i) continue
        split(size_text[mount], parts, " ")
        begin()
        put("mount", quote(mount))
        put("filesystem", quote(mount_type[i]))
        put("size_mib", size_mib(parts[2], parts[1]))
        put("free_mib", size_mib(parts[3], parts[1]))
        put("read_only", ("," mount_options[i] ",") ~ /,ro,/ ? "true" : "false")
        out = comma(out, end())
    }
    return "[" out "]"
}

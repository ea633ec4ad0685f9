# Host memory and NUMA nodes.
section == "nodes" && /\/node[0-9]+\t/ {
    node_dir[++nodes] = substr($0, 1, index($0, "\t") - 1)
    node_cpus[nodes] = substr($0, index($0, "\t") + 1)
    node_number[nodes] = node_dir[nodes]
    sub(/.*\/node/, "", node_number[nodes])
    node_number[nodes] += 0
    next
}
function read_meminfo(path, into,    i, text, parts) {
    split("", into)
    for (i = 1; i <= length_of[path]; i++) {
        text = content[path, i]
        sub(/^Node[ \t]+[0-9]+[ \t]+/, "", text)
        split(text, parts, /:?[ \t]+/)
        into[parts[1]] = parts[2] + 0
    }
}
function numa_part(    i, j, n, order, values, list, mask, words, out) {
    for (i = 1; i <= nodes; i++) {
        for (j = i; j > 1 && node_number[order[j - 1]] > node_number[i]; j--)
            order[j] = order[j - 1]
        order[j] = i
    }
    for (i = 1; i <= nodes; i++) {
        n = order[i]
        read_meminfo(node_dir[n] "/meminfo", values)
        node_kib += values["MemTotal"]
        node_free_kib += values["MemFree"]
        list = get(node_dir[n] "/cpulist")
        if (list == "") list = list_of(get(node_dir[n] "/cpumap"))
        if (list == "") list = sorted(node_cpus[n])
        begin()
        put("node", node_number[n])
        put("cpus", quote(list))
        put("memory_mib", mib(values["MemTotal"]))
        out = comma(out, end())
    }
    return "[" out "]"
}
# What bench once measured; a text that is not just its own says nothing.
function measured(    text, rate, modules) {
    text = get(root "/var/lib/boxwright/memory.json")
    if (text !~ /^[{]"read_gb_s": [0-9]+[.][0-9]+, "modules": "[0-9a-f]+"[}]$/) return "null"
    rate = modules = text
    sub(/^[^:]*: /, "", rate)
    sub(/.*: "/, "", modules)
    sub(/"[}]$/, "", modules)
    if (rate + 0 <= 0) return "null"
    begin()
    put("read_gb_s", sprintf("%.1f", rate))
    put("modules", quote(modules))
    return end()
}
function memory_part(    values, total, available, group, limit, used, list, read) {
    read_meminfo(root "/proc/meminfo", values)
    total = values["MemTotal"]
    if ("MemAvailable" in values) available = values["MemAvailable"]
    else available = values["MemFree"] + values["Buffers"] + values["Cached"]
    if (!total) { total = node_kib; available = node_free_kib }
    # A container may be allowed less than the machine has.
    group = root "/sys/fs/cgroup/memory"
    limit = get(group ".max")
    used = get(group ".current")
    if (limit == "") {
        limit = get(group "/memory.limit_in_bytes")
        used = get(group "/memory.usage_in_bytes")
    }
    if (natural(limit) && limit / 1024 < total) {
        total = limit / 1024
        limit = (limit - used) / 1024
        if (limit < available) available = limit > 0 ? limit : 0
    }
    list = dimms()
    read = measured()
    begin()
    put("total_mib", mib(total))
    put("available_mib", mib(available))
    put("swap_mib", mib(values["SwapTotal"]))
    put("dimms", "[" list "]")
    put("measured", read)
    return end()
}

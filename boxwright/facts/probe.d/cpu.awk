# Processors: threads that are online, the cores and packages they belong to, the faster cores.
section == "cpus" && /\/cpu[0-9]+$/ {
    cpu_dir[++cpus] = $0
    sub(/.*\/cpu/, "")
    cpu_number[cpus] = $0 + 0
    next
}
function read_cpuinfo(    path, i, text, key, value, at, cpu) {
    path = root "/proc/cpuinfo"
    cpu = -1
    for (i = 1; i <= length_of[path]; i++) {
        text = content[path, i]
        if (!(at = index(text, ":"))) continue
        key = tolower(substr(text, 1, at - 1))
        sub(/[ \t]+$/, "", key)
        value = substr(text, at + 1)
        gsub(/^[ \t]+|[ \t\r]+$/, "", value)
        if (key == "processor" && natural(value)) listed[cpu = value + 0] = 1
        else if (key == "physical id") cpuinfo_package[cpu] = value
        else if (key == "core id") cpuinfo_core[cpu] = value
        else if (key == "siblings") cpuinfo_siblings[cpu] = value
        else if (key == "cpu cores" && value == cpuinfo_siblings[cpu]) one_thread[cpu] = 1
        else if (key ~ /^processor [0-9]+$/) listed[substr(key, 11) + 0] = 1  # s390
        else if (key == "cpus active") active = value + 0  # alpha lists none
        else if ((key == "flags" || key == "features") && flags == "") flags = value
        else if (key == "model name" && cpu_model == "") cpu_model = value
        else if (key ~ /^(model|hardware|cpu|vendor)$/ && value !~ /^[0-9]+$/) {
            if (other_model == "") other_model = value
        }
        else if (key == "cpu implementer") arm = 1
    }
    if (cpu_model == "") cpu_model = other_model
    if (cpu < 0) for (i = 0; i < active; i++) listed[i] = 1
}
function is_online(cpu, dir,    text) {
    text = get(dir "/online")
    if (text == "0" || text == "1") return text
    if (online_list != "") return cpu in online
    text = get(dir "/topology/physical_package_id") get(dir "/topology/core_id")
    if (text != "") return 1
    for (text in listed) return cpu in listed
    return 1
}
# What tells a core from others: its set of threads, else its numbers; core numbers repeat from
# die to die, which /proc/cpuinfo does not show, but it tells where no core has two threads.
function core_key(cpu, dir,    key) {
    if (dir != "") {
        if ((key = cpu_set(dir, "core_cpus", "thread_siblings")) != "") return key
        key = get(dir "/topology/core_id")
        if (natural(key)) return package_key(cpu, dir) "/" get(dir "/topology/die_id") "/" key
    }
    if (cpuinfo_core[cpu] == "" || cpu in one_thread) return "cpu" cpu
    return cpuinfo_package[cpu] "/" cpuinfo_core[cpu]
}
# Package numbers repeat from book to book of a mainframe; -1 is no number.
function package_key(cpu, dir,    key) {
    if (dir == "") return cpuinfo_package[cpu]
    key = get(dir "/topology/physical_package_id")
    if (natural(key))
        return get(dir "/topology/drawer_id") "/" get(dir "/topology/book_id") "/" key
    key = cpu_set(dir, "package_cpus", "core_siblings")
    return key == "" ? cpuinfo_package[cpu] : key
}
function count_cpu(cpu, dir,    key) {
    threads++
    key = core_key(cpu, dir)
    if (!(key in core_seen)) { core_seen[key] = 1; cores++; core_first[cores] = cpu }
    key = package_key(cpu, dir)
    if (!(key in package_seen)) { package_seen[key] = 1; sockets++ }
}
# Cores of the faster kind, or null where all are alike: Intel tells them by a counter
# device of each kind, ARM by the capacity of each CPU.
function performance_cores(    list, fast, i, n, best, capacity, slow) {
    list = get(root "/sys/devices/cpu_core/cpus")
    if (list != "" && get(root "/sys/devices/cpu_atom/cpus") != "") {
        expand(list, fast)
        for (i = 1; i <= cores; i++) n += core_first[i] in fast
        return n + 0
    }
    for (i = 1; i <= cores; i++) {
        capacity[i] = get(root "/sys/devices/system/cpu/cpu" core_first[i] "/cpu_capacity") + 0
        if (capacity[i] > best) best = capacity[i]
    }
    for (i = 1; i <= cores; i++) if (capacity[i] < best * 0.9) slow++
    return slow ? cores - slow : "null"
}
function cpu_part(    i, cpu, words, n, list) {
    read_cpuinfo()
    online_list = get(root "/sys/devices/system/cpu/online")
    expand(online_list, online)
    for (i = 1; i <= cpus; i++)
        if (is_online(cpu_number[i], cpu_dir[i])) count_cpu(cpu_number[i], cpu_dir[i])
    if (!cpus) for (cpu in listed) count_cpu(cpu, "")
    n = split(flags, words, /[ \t]+/)
    for (i = 1; i <= n; i++) list = comma(list, quote(words[i]))
    begin()
    put("model", quote(cpu_model))
    put("sockets", sockets + 0)
    put("cores", cores + 0)
    put("threads", threads + 0)
    put("performance_cores", performance_cores())
    put("flags", "[" list "]")
    return end()
}

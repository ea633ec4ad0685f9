# The answers of the nvidia-smi stand-in; fields come from nvidia-smi.sh, one card a line.
function unit(field) {
    if (field ~ /^memory\.|^used_memory|^used_gpu_memory/) return "MiB"
    if (field ~ /^power\.(draw|limit|default|min|max)|^enforced\.power/) return "W"
    if (field ~ /^utilization\.|^fan\.speed/) return "%"
    if (field ~ /^clocks\./) return "MHz"
    return ""
}
function bus(pci) { return "0000" toupper(pci) }
function cuda(version,    branch) {
    branch = version + 0
    if (branch >= 620) return "13.5"
    if (branch >= 615) return "13.4"
    if (branch >= 610) return "13.3"
    if (branch >= 595) return "13.2"
    if (branch >= 590) return "13.1"
    if (branch >= 580) return "13.0"
    if (branch >= 570) return "12.8"
    if (branch >= 550) return "12.4"
    return "12.2"
}
function watts(compute) { return compute + 0 >= 12 ? 575 : compute + 0 >= 7.5 ? 300 : 180 }
function known(value) { return value == "" ? "[N/A]" : value }
function answer(field, n,    w) {
    w = watts(compute[n])
    if (field == "index") return n - 1
    if (field == "count") return cards
    if (field == "name" || field == "gpu_name") return name[n]
    if (field == "uuid" || field == "gpu_uuid") return uuid[n]
    if (field == "pci.bus_id" || field == "gpu_bus_id") return bus(pci[n])
    if (field == "driver_version") return driver
    if (field == "compute_cap") return compute[n]
    if (field == "memory.total") return total[n]
    if (field == "memory.used") return used[n]
    if (field == "memory.free") return total[n] - used[n]
    if (field == "memory.reserved") return 0
    if (field == "persistence_mode") return mode[n]
    if (field == "compute_mode") return "Default"
    if (field == "pstate") return "P8"
    if (field == "temperature.gpu") return 34
    if (field == "utilization.gpu" || field == "utilization.memory") return 0
    if (field == "power.management") return "Enabled"
    if (field ~ /^power\.draw(\.average|\.instant)?$/) return sprintf("%.2f", w / 20)
    if (field ~ /^(enforced\.power\.limit|power\.limit|power\.default_limit|power\.max_limit)$/)
        return sprintf("%.2f", w)
    if (field == "power.min_limit") return sprintf("%.2f", w / 2)
    if (field == "pcie.link.gen.current") return known(gen[n])
    if (field == "pcie.link.gen.max") return known(gen_max[n])
    if (field == "pcie.link.width.current") return known(width[n])
    if (field == "pcie.link.width.max") return known(width_max[n])
    if (field ~ /^(vbios_version|serial|temperature\.memory|temperature\.gpu\.tlimit|fan\.speed)$/)
        return "[N/A]"
    if (field ~ /^(ecc\.mode\.current|ecc\.mode\.pending|mig\.mode\.current|display_active)$/)
        return "[N/A]"
    if (field ~ /^clocks\.(current|max)\.(graphics|sm|memory|video)$/) return 405
    invalid = 1
}
function join(fields, count, values, n,    i, out, text, u) {
    for (i = 1; i <= count; i++) {
        text = values ? answer(fields[i], n) : fields[i]
        u = nounits ? "" : unit(fields[i])
        if (u != "" && text != "[N/A]") text = values ? text " " u : text " [" u "]"
        else if (u != "" && !values) text = text " [" u "]"
        out = out (i > 1 ? ", " : "") text
    }
    return out
}
function refuse(field) {
    print "Field \"" field "\" is not a valid field to query."
    print ""
    failed = 2
    exit failed
}
function chosen(n) {
    return id == "" || id == n - 1 || id == uuid[n] || toupper(id) == bus(pci[n]) \
        || toupper(id) == toupper(pci[n])
}
{
    cards++
    pci[cards] = $1; name[cards] = $2; total[cards] = $3; compute[cards] = $4; uuid[cards] = $5
    mode[cards] = $6; gen[cards] = $7; gen_max[cards] = $8; width[cards] = $9
    width_max[cards] = $10; used[cards] = $11; pid[cards] = $12; program[cards] = $13
}
END {
    if (failed) exit failed
    nounits = index("," format ",", ",nounits,")
    noheader = index("," format ",", ",noheader,")
    if ((action == "query" || action == "apps") && ("," format) !~ /,csv/) {
        print "\"--format=\" switch is missing or does not name \"csv\"."
        exit 2
    }
    if (action == "list")
        for (n = 1; n <= cards; n++) printf "GPU %d: %s (UUID: %s)\n", n - 1, name[n], uuid[n]
    if (action == "query") {
        count = split(query, fields, / *, */)
        for (i = 1; i <= count; i++) { invalid = 0; answer(fields[i], 1); if (invalid) refuse(fields[i]) }
        if (!noheader) print join(fields, count, 0, 0)
        for (n = 1; n <= cards; n++) if (chosen(n)) { print join(fields, count, 1, n); shown++ }
        if (!shown) { print "No devices were found"; exit 6 }
    }
    if (action == "apps") {
        count = split(apps, fields, / *, */)
        for (i = 1; i <= count; i++)
            if (fields[i] !~ /^(pid|used_memory|used_gpu_memory|process_name|name|gpu_bus_id|gpu_uuid|gpu_name)$/)
                refuse(fields[i])
        if (!noheader) print join(fields, count, 0, 0)
        for (n = 1; n <= cards; n++) {
            if (!chosen(n) || pid[n] == "") continue
            line = ""
            for (i = 1; i <= count; i++) {
                f = fields[i]
                v = f == "pid" ? pid[n] : f ~ /^used_/ ? used[n] (nounits ? "" : " MiB") : \
                    f == "process_name" || f == "name" ? known(program[n]) : answer(f, n)
                line = line (i > 1 ? ", " : "") v
            }
            print line
        }
    }
    if (action == "plain") plain()
}
function rule(mark) { printf "|%s+%s+%s|\n", dashes(41, mark), dashes(24, mark), dashes(22, mark) }
function dashes(length_, mark,    out) { while (length(out) < length_) out = out mark; return out }
function plain(    n) {
    print now
    print "+" dashes(89, "-") "+"
    printf "| NVIDIA-SMI %-22s Driver Version: %-14s CUDA Version: %-8s |\n", driver, driver, cuda(driver)
    rule("-")
    printf "| %-39s | %-22s | %-20s |\n", "GPU  Name                 Persistence-M", "Bus-Id          Disp.A", "Volatile Uncorr. ECC"
    printf "| %-39s | %22s | %-20s |\n", "Fan  Temp   Perf          Pwr:Usage/Cap", "Memory-Usage", "GPU-Util  Compute M."
    rule("=")
    for (n = 1; n <= cards; n++) {
        printf "| %3d  %-24.24s %8s | %-18s Off | %20s |\n", n - 1, name[n], mode[n] == "Enabled" ? "On" : "Off", bus(pci[n]), "N/A"
        printf "| %-39s | %8dMiB / %6dMiB | %20s |\n", sprintf("N/A   34C    P8   %10dW / %4dW", watts(compute[n]) / 20, watts(compute[n])), used[n], total[n], "0%      Default"
        print "+" dashes(41, "-") "+" dashes(24, "-") "+" dashes(22, "-") "+"
    }
    print ""
    print "+" dashes(89, "-") "+"
    printf "| %-87s |\n", "Processes:"
    for (n = 1; n <= cards; n++)
        if (pid[n] != "") { found = 1; printf "| %-87s |\n", sprintf("  %3d   N/A  N/A  %14s      C   %-30.30s %6dMiB", n - 1, pid[n], program[n], used[n]) }
    if (!found) printf "| %-87s |\n", "  No running processes found"
    print "+" dashes(89, "-") "+"
}

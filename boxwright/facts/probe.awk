# Writes the machine report of the sections that probe.sh prints; opens no file.
# A line `@probe NAME` begins a section; each part has the rules of its own. This file comes first.
/^@probe [a-z]+$/ { section = $2; at = 0; next }
{ at++ }
section == "given" { if (at == 1) root = $0; else if (at == 2) runtime = $0; else kernel = $0 }
# One member a line; processors and nodes come first, for others use what they counted.
function say(name, json) { printf "%s\"%s\": %s", (members++ ? ",\n " : "{"), name, json }
END {
    cpu = cpu_part()
    numa = numa_part()
    say("schema", quote("boxwright.machine/1"))
    say("hostname", quote(hostname()))
    say("os", os_part())
    say("cpu", cpu)
    say("numa", numa)
    say("memory", memory_part())
    say("gpus", cards_part())
    say("disks", disks_part())
    say("secure_boot", secure_boot())
    say("nvidia", nvidia_part())
    say("llama", llama_part())
    say("boot_id", known(get(root "/proc/sys/kernel/random/boot_id")))
    say("container", known(container()))
    print "}"
}

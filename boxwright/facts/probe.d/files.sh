# Lists the directories of processors, nodes and cards, and reads their many small files.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # the parts share their variables

kernel_name() {
    line "$root/proc/sys/kernel/osrelease"
    kernel=$line
    [ -z "$kernel" ] || return
    line "$root/proc/version"
    case $line in
    'Linux version '*) kernel=${line#Linux version } && kernel=${kernel%% *} ;;
    esac
}

list_directories() {
    section cpus
    printf '%s\n' "$cpu"/cpu[0-9]*
    section nodes
    for dir in "$root"/sys/devices/system/node/node[0-9]*; do
        printf '%s\t' "$dir"
        # Only the links tell the CPUs where a recorded tree lacks the list.
        [ -f "$dir/cpulist" ] ||
            for link in "$dir"/cpu[0-9]*; do printf '%s ' "${link##*/cpu}"; done
        echo
    done
    section cards
    cards=
    for dir in "$root"/sys/bus/pci/devices/*; do
        line "$dir/class"
        case $line in
        0x03*)
            printf '%s\t%s\n' "$dir" "$(readlink "$dir/driver")"
            cards="$cards
$dir"
            ;;
        esac
    done
}

# The topology file that this kernel has of several names for the same thing.
choose() {
    for name in "$@"; do
        for file in "$cpu"/cpu[0-9]*/topology/"$name"; do
            [ ! -f "$file" ] || return
            break
        done
    done
}

# `head` reads the many small files: it names each and goes on after one that cannot be read, where
# mawk would give up.
read_files() {
    choose core_cpus_list thread_siblings_list core_cpus thread_siblings
    core_set=$name
    choose package_cpus_list core_siblings_list package_cpus core_siblings
    set -- "$cpu"/online "$cpu"/cpu[0-9]*/online "$cpu"/cpu[0-9]*/cpu_capacity \
        "$cpu"/cpu[0-9]*/topology/"$core_set" "$cpu"/cpu[0-9]*/topology/"$name" \
        "$cpu"/cpu[0-9]*/topology/physical_package_id "$cpu"/cpu[0-9]*/topology/book_id \
        "$cpu"/cpu[0-9]*/topology/drawer_id "$cpu"/cpu[0-9]*/topology/die_id \
        "$cpu"/cpu[0-9]*/topology/core_id \
        "$root"/sys/devices/cpu_core/cpus "$root"/sys/devices/cpu_atom/cpus \
        "$root"/sys/devices/system/node/node[0-9]*/cpulist \
        "$root"/sys/devices/system/node/node[0-9]*/cpumap \
        "$root"/sys/fs/cgroup/memory.max "$root"/sys/fs/cgroup/memory.current \
        "$root"/sys/fs/cgroup/memory/memory.limit_in_bytes \
        "$root"/sys/fs/cgroup/memory/memory.usage_in_bytes \
        "$root"/sys/module/nvidia/version "$root"/proc/driver/nvidia/version \
        "$root"/proc/sys/kernel/arch "$root"/proc/sys/kernel/hostname "$root"/etc/hostname \
        "$root"/proc/sys/kernel/random/boot_id "$root"/proc/1/comm \
        "$root"/run/systemd/container "$root"/run/host/container-manager \
        "$root"/var/lib/boxwright/memory.json
    IFS='
'
    for dir in $cards; do
        for file in class vendor device subsystem_vendor subsystem_device numa_node \
            max_link_speed current_link_speed max_link_width current_link_width \
            ../max_link_speed ../max_link_width power_state power/runtime_status; do
            set -- "$@" "$dir/$file"
        done
    done
    section files
    head -n 1 /dev/null "$@"
    echo
    set --
    for dir in $cards; do set -- "$@" "$dir/uevent"; done
    unset IFS
    head -n 20000 /dev/null "$root/proc/cpuinfo" "$root/proc/meminfo" \
        "$root"/sys/devices/system/node/node[0-9]*/meminfo "$root/etc/os-release" \
        "$root/usr/lib/os-release" "$root/usr/bin/ldd" "$root$runtime/current/boxwright.json" "$@"
    echo
}

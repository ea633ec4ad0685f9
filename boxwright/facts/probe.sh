#!/bin/sh
# Prints one JSON document, schema boxwright.machine/1: what this machine is, decided by nobody.
#
# POSIX sh and awk, in one round trip and with few forks. SYSROOT=/tree reads a recorded tree: then
# every path lies under it and only tools inside the tree are run. Any file may be absent,
# unreadable or without a newline; what cannot be known is null.
# BOXWRIGHT_RUNTIME and BOXWRIGHT_UNIT name the directory of llama.cpp releases and our unit.
#
# The shell lists directories, follows links, reads files and runs tools, each answer in its own
# section; awk reads the sections and writes the document. `head` reads the many small files:
# it names each and goes on after one that cannot be read, where mawk would give up.
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
root=${SYSROOT:-}
while [ "${root%/}" != "$root" ]; do root=${root%/}; done
runtime=${BOXWRIGHT_RUNTIME:-/opt/llama.cpp}
unit=${BOXWRIGHT_UNIT:-llama-server.service}
cpu=$root/sys/devices/system/cpu

# section NAME: what follows is its.
section() {
    printf '@probe %s\n' "$1"
}

# line FILE: its first line in $line, empty if it cannot be read.
line() {
    line=
    [ ! -f "$1" ] || IFS= read -r line <"$1"
}

# tool NAME: where it lies in $tool; in a recorded tree only the tree's own.
tool() {
    tool=
    if [ -z "$root" ]; then
        tool=$(command -v "$1") || tool=
        return
    fi
    for dir in usr/bin usr/sbin bin sbin; do
        [ ! -x "$root/$dir/$1" ] || { tool=$root/$dir/$1 && return; }
    done
}

# patiently COMMAND…: no tool may hold the probe up for ever.
patiently() {
    if command -v timeout >/dev/null; then timeout 20 "$@"; else "$@"; fi
}

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
        "$root"/run/systemd/container "$root"/run/host/container-manager
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

# The module that modprobe would take: out-of-tree ones first, as depmod ranks them.
find_module() {
    module=
    for base in "$root/lib/modules/$kernel" "$root/usr/lib/modules/$kernel"; do
        for module in "$base"/updates/dkms/nvidia*.ko* "$base"/updates/nvidia*.ko* \
            "$base"/updates/*/nvidia*.ko* "$base"/extra/nvidia*.ko* "$base"/extra/*/nvidia*.ko* \
            "$base"/weak-updates/nvidia*.ko* "$base"/weak-updates/*/nvidia*.ko* \
            "$base"/kernel/nvidia*/nvidia*.ko* "$base"/kernel/drivers/video/nvidia*.ko* \
            "$base"/kernel/drivers/video/*/nvidia*.ko*; do
            case ${module##*/} in
            *-drm.* | *-modeset.* | *-uvm.* | *-peermem.*) ;;
            nvidia.ko* | nvidia-current* | nvidia-open* | nvidia-[0-9]* | nvidia-tesla*)
                [ ! -f "$module" ] || return
                ;;
            esac
        done
    done
    module=
}

module_text() {
    case $1 in
    *.xz) xz -dc "$1" ;;
    *.zst) zstd -dcq "$1" ;;
    *.gz) gzip -dc "$1" ;;
    *) cat "$1" ;;
    esac | tr '\0' '\n' | sed -n -e 's/^version=/version: /p' -e 's/^license=/license: /p'
}

ask_driver() {
    [ -z "$kernel" ] || find_module
    if [ -n "$module" ]; then
        section module
        tool modinfo
        if [ -n "$tool" ]; then "$tool" "$module"; else module_text "$module"; fi
    fi
    section library
    for dir in usr/lib/x86_64-linux-gnu usr/lib/x86_64-linux-gnu/nvidia/current \
        usr/lib/aarch64-linux-gnu usr/lib64 usr/lib; do
        library=$(readlink "$root/$dir/libnvidia-ml.so.1" 2>/dev/null)
        case $library in
        *libnvidia-ml.so.*.*) printf '%s\n' "$library" && break ;;
        esac
        for library in "$root/$dir"/libnvidia-ml.so.*.*; do
            [ ! -f "$library" ] || { printf '%s\n' "$library" && break 2; }
        done
    done
}

# Each query is headed by its fields. One unknown field fails a whole query with status 1 or 2, and
# old drivers know no compute_cap, still older ones no MIG either; other failures are the driver's.
ask_cards() {
    # Before the module is loaded nvidia-smi knows nothing, and would try to load it.
    [ -n "$root" ] || [ -e /proc/driver/nvidia/version ] || return 0
    tool nvidia-smi
    [ -n "$tool" ] || return 0
    for more in "compute_cap,mig.mode.current," "compute_cap," "mig.mode.current," ""; do
        fields=pci.bus_id,memory.total,memory.used,${more}name
        section smi
        echo "$fields"
        patiently "$tool" --query-gpu="$fields" --format=csv,noheader,nounits && break
        [ $? -le 2 ] || break
    done
    [ "${pid:-0}" -gt 0 ] || return 0
    section apps
    patiently "$tool" --query-compute-apps=gpu_bus_id,pid,used_memory --format=csv,noheader,nounits
}

ask_service() {
    state=absent pid=0 before=
    for dir in etc/systemd/system run/systemd/system usr/lib/systemd/system lib/systemd/system; do
        [ ! -f "$root/$dir/$unit" ] || state=unknown
    done
    tool systemctl
    if [ $state = unknown ] && [ -n "$tool" ]; then
        while IFS='=' read -r key value; do
            case $key in
            ActiveState) state=$value ;;
            MainPID) pid=$value ;;
            esac
        done <<END
$("$tool" show --property=ActiveState,MainPID "$unit")
END
    fi
    model=
    # By its own arguments: the unit may have changed since the process started.
    [ "${pid:=0}" = 0 ] || while IFS= read -r word; do
        case $before in
        --alias | -a) model=$word && break ;;
        --model | -m) model=${word##*/} ;;
        esac
        before=$word
    done <<END
$(tr '\0\n' '\n ' <"$root/proc/$pid/cmdline")
END
    section service
    printf '%s\n%s\nmodel=%s\n' "$state" "$pid" "$model"
}

ask_board() {
    section secureboot
    for file in "$root"/sys/firmware/efi/efivars/SecureBoot-*; do
        [ ! -r "$file" ] || od -An -tu1 "$file"
    done
    tool dmidecode
    if [ -n "$tool" ] && { [ -n "$root" ] || [ -r /sys/firmware/dmi/tables/DMI ]; }; then
        section dmidecode
        "$tool" -t 17
    elif [ -r "$root/sys/firmware/dmi/tables/DMI" ]; then
        section dmitable
        od -An -v -tu1 "$root/sys/firmware/dmi/tables/DMI"
    else
        # Kernels before 4.2 show the table by its entries only.
        section dmitable
        cat "$root"/sys/firmware/dmi/entries/17-*/raw | od -An -v -tu1
    fi
    section exists
    for path in sys/firmware sys/firmware/efi run/systemd/system .dockerenv run/.containerenv; do
        [ ! -e "$root/$path" ] || echo "$path"
    done
}

# A mount's name as the kernel escapes it (\040 for a space), made plain in $mount.
plain_mount() {
    case $mount in
    *\\*)
        mount=$(printf '%s' "$mount" | sed 's/\\\([0-7][0-7][0-7]\)/\\0\1/g')
        mount=$(printf '%b.' "$mount") && mount=${mount%.}
        ;;
    esac
}

# File systems that can hold files. A network one that hangs must not take the others with it.
ask_disks() {
    set --
    remote=
    section mounts
    while read -r _ mount type options _; do
        plain_mount
        case $mount in
        /run/media/*) ;;
        /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/* | /snap/*) continue ;;
        /var/lib/docker/* | /var/lib/containers/* | /var/lib/containerd/*) continue ;;
        esac
        case $type:$mount in
        rootfs:*) continue ;;
        nfs:* | nfs4:* | cifs:* | smb3:* | ceph:* | lustre:* | 9p:* | fuse.sshfs:* | \
            fuse.glusterfs:*)
            printf '%s\t%s\t%s\n' "$type" "$options" "$mount"
            remote="$remote
$mount"
            continue
            ;;
        ext[234]:* | xfs:* | btrfs:* | zfs:* | f2fs:* | bcachefs:* | jfs:* | reiserfs:*) ;;
        nilfs2:* | ntfs3:* | fuseblk:* | exfat:* | overlay:* | virtiofs:* | fuse.mergerfs:*) ;;
        *:/) ;;
        *) continue ;;
        esac
        [ -d "$mount" ] || continue
        printf '%s\t%s\t%s\n' "$type" "$options" "$mount"
        set -- "$@" "$mount"
    done <"/proc/mounts"
    section sizes
    [ $# = 0 ] || stat -f -c '%S %b %a %n' -- "$@"
    [ -n "$remote" ] || return 0
    IFS='
'
    set -f
    for mount in $remote; do
        [ -z "$mount" ] || timeout 3 stat -f -c '%S %b %a %n' -- "$mount"
    done
    unset IFS
}

collect() {
    kernel_name
    section given
    printf '%s\n%s\n%s\n' "$root" "$runtime" "$kernel"
    list_directories
    read_files
    ask_service
    ask_driver
    ask_cards
    ask_board
    [ -n "$root" ] || ask_disks
    if [ -z "$root" ]; then
        [ -r /proc/sys/kernel/arch ] || { section arch && uname -m; }
        grep -q GLIBC /usr/bin/ldd || { section glibc && getconf GNU_LIBC_VERSION; }
    fi
}

# From here on awk, which opens no file.
collect 2>/dev/null | awk '
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

# The members of a CPU list such as 0-3,8 as keys of `set`; says how many.
function expand(list, set,    parts, n, i, ends, cpu) {
    split("", set)
    n = split(list, parts, ",")
    for (i = 1; i <= n; i++) {
        if (parts[i] !~ /^[0-9]+(-[0-9]+)?$/) continue
        if (split(parts[i], ends, "-") == 1) ends[2] = ends[1]
        for (cpu = ends[1] + 0; cpu <= ends[2] + 0; cpu++) set[cpu] = 1
    }
}
# The list for a hexadecimal mask such as 00000000,00000101.
function list_of(mask,    i, digit, bit, cpu, list, start) {
    gsub(/[^0-9a-fA-F]/, "", mask)
    start = -1
    for (i = length(mask); i >= 0; i--) {
        digit = i ? index("123456789abcdef", tolower(substr(mask, i, 1))) : 0
        for (bit = 1; bit <= 8; bit *= 2) {
            if (int(digit / bit) % 2) { if (start < 0) start = cpu + 0 }
            else if (start >= 0) {
                list = list (list == "" ? "" : ",") start (cpu - 1 > start ? "-" (cpu - 1) : "")
                start = -1
            }
            cpu++
        }
    }
    return list
}
# A set of CPUs by the first of these topology files that is there, as the newer or older kernel
# names them.
function cpu_set(dir, newer, older,    text) {
    dir = dir "/topology/"
    if ((text = get(dir newer "_list")) != "") return text
    if ((text = get(dir older "_list")) != "") return text
    if ((text = list_of(get(dir newer))) != "") return text
    return list_of(get(dir older))
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
# Numbers with spaces between as a CPU list.
function sorted(text,    words, n, i, set, top, mask, cpu, start, list) {
    n = split(text, words, " ")
    for (i = 1; i <= n; i++) { set[words[i] + 0] = 1; if (words[i] + 0 > top) top = words[i] + 0 }
    start = -1
    for (cpu = 0; n && cpu <= top + 1; cpu++) {
        if (cpu in set) { if (start < 0) start = cpu }
        else if (start >= 0) {
            list = list (list == "" ? "" : ",") start (cpu - 1 > start ? "-" (cpu - 1) : "")
            start = -1
        }
    }
    return list
}
function memory_part(    values, total, available, group, limit, used, list) {
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
    begin()
    put("total_mib", mib(total))
    put("available_mib", mib(available))
    put("swap_mib", mib(values["SwapTotal"]))
    put("dimms", "[" list "]")
    return end()
}

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

function version_in(text) {
    return match(text, /[0-9]+\.[0-9]+(\.[0-9]+)?/) ? substr(text, RSTART, RLENGTH) : ""
}
function nvidia_part(    text, loaded, flavour) {
    text = get(root "/proc/driver/nvidia/version")
    loaded = get(root "/sys/module/nvidia/version")
    if (loaded == "") loaded = version_in(text)
    if (module_license ~ /^NVIDIA/) flavour = "proprietary"
    else if (module_license ~ /MIT/) flavour = "open"
    else if (text != "") flavour = text ~ /Open Kernel Module/ ? "open" : "proprietary"
    begin()
    put("loaded", known(loaded))
    put("installed", known(module_version))
    put("flavour", known(flavour))
    put("userspace", known(version_in(library)))
    return end()
}

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
function llama_part(    path, i, build) {
    path = root runtime "/current/boxwright.json"
    for (i = 1; i <= length_of[path]; i++)
        if (match(content[path, i], /"build"[ \t]*:[ \t]*"[^"]*"/)) {
            build = substr(content[path, i], RSTART, RLENGTH - 1)
            sub(/.*"/, "", build)
        }
    begin()
    put("build", known(build))
    put("service", quote(service_state))
    put("model", known(service_model))
    return end()
}

/^@probe [a-z]+$/ { section = $2; at = 0; next }
{ at++ }
section == "files" {
    if (/^==> .* <==$/) path = substr($0, 5, length($0) - 8)
    else content[path, ++length_of[path]] = $0
    next
}
section == "given" { if (at == 1) root = $0; else if (at == 2) runtime = $0; else kernel = $0 }
section == "cpus" && /\/cpu[0-9]+$/ {
    cpu_dir[++cpus] = $0
    sub(/.*\/cpu/, "")
    cpu_number[cpus] = $0 + 0
    next
}
section == "nodes" && /\/node[0-9]+\t/ {
    node_dir[++nodes] = substr($0, 1, index($0, "\t") - 1)
    node_cpus[nodes] = substr($0, index($0, "\t") + 1)
    node_number[nodes] = node_dir[nodes]
    sub(/.*\/node/, "", node_number[nodes])
    node_number[nodes] += 0
    next
}
section == "cards" {
    card_dir[++cards] = substr($0, 1, index($0, "\t") - 1)
    card_driver[cards] = substr($0, index($0, "\t") + 1)
    next
}
section == "service" {
    if (at == 1) service_state = $0
    else if (at == 2) service_pid = $0
    else service_model = substr($0, 7)
    next
}
section == "module" && /^version:/ && module_version == "" { module_version = $2 }
section == "module" && /^license:/ && module_license == "" {
    module_license = $0
    sub(/^license:[ \t]*/, "", module_license)
}
section == "library" { library = $0; sub(/.*libnvidia-ml\.so\./, "", library) }
section == "smi" && at == 1 { columns = split($0, column, ","); next }
section == "smi" && /^[0-9A-Fa-f]+:/ && split($0, part, /, */) == columns {
    pci = sysfs_address(part[1])
    for (i = 2; i <= columns; i++) smi[pci, column[i]] = part[i]
}
section == "apps" && /^[0-9A-Fa-f]+:/ {
    split($0, part, /, */)
    if (part[2] == service_pid) smi_ours[sysfs_address(part[1])] += part[3]
}
section == "secureboot" && secure_byte == "" { secure_byte = $5 }
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
section == "exists" { exists[$0] = 1 }
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
section == "arch" { machine_arch = $0 }
section == "glibc" { glibc_said = $0 }
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
}'

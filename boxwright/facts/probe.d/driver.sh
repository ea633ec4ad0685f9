# Asks the NVIDIA driver: its module and library on disk, and nvidia-smi.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # the parts share their variables

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

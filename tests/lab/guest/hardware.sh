# Runs at each boot of a guest: lays the pretended hardware of /lab over /sys and /proc.
#
# /lab is read-only and outlives a reset; what a guest may write (governor, sysctl keys) is copied
# to /run first, so that each boot starts from the board's own values and the machine below never
# sees a write.
set -eu
LC_ALL=C
export LC_ALL

run=/run/boxwright-lab
kernel=$(cat /lab/kernel)
mkdir -p "$run/vram-used" "$run/sysctl"
cp -r /lab/sys /lab/proc "$run/"
cp /lab/gpus.csv "$run/gpus.csv"

# show SOURCE TARGET: bind a file or directory over what the kernel shows. A target that this
# kernel lacks (no PCI bus, no NUMA) can only be added to its parent directory, by an overlay.
show() {
    if [ -e "$2" ]; then
        mount --bind "$1" "$2"
        return
    fi
    over="$run/over${2%/*}"
    mkdir -p "$over"
    cp -r "$1" "$over/${2##*/}"
    mount -t overlay lab -o "lowerdir=$over:${2%/*}" "${2%/*}"
}

# hide NAME: a module that this machine really has and the guest does not.
hide_module() {
    [ ! -e "/sys/module/$1" ] || [ -e "$run/sys/module/$1" ] || mknod "$run/sys/module/$1" c 0 0
}

# A machine that boots by BIOS has no /sys/firmware/efi, whatever the one below has.
hide_efi() {
    [ -d /sys/firmware/efi ] && [ ! -d "$run/sys/firmware/efi" ] || return 0
    mkdir -p "$run/over/sys/firmware"
    mknod "$run/over/sys/firmware/efi" c 0 0
    mount -t overlay lab -o "lowerdir=$run/over/sys/firmware:/sys/firmware" /sys/firmware
}

show_sysctl() {
    cp -r /proc/sys/vm "$run/sysctl/" 2>/dev/null || true
    mount --bind "$run/sysctl/vm" /proc/sys/vm
    echo "$kernel" >"$run/sysctl/osrelease"
    mount --bind "$run/sysctl/osrelease" /proc/sys/kernel/osrelease
    if [ -e /proc/sys/kernel/numa_balancing ]; then
        set -- /sys/devices/system/node/node[0-9]*
        # As the kernel decides it: balancing starts switched on where there is more than one node.
        echo "$(($# > 1))" >"$run/sysctl/numa_balancing"
        mount --bind "$run/sysctl/numa_balancing" /proc/sys/kernel/numa_balancing
    fi
}

show_board() {
    for file in "$run"/proc/*; do
        [ ! -f "$file" ] || [ ! -e "/proc/${file##*/}" ] || mount --bind "$file" "/proc/${file##*/}"
    done
    mount --bind "$run/proc/driver" /proc/driver
    show "$run/sys/bus/pci" /sys/bus/pci
    hide_efi
    for tree in devices/system/cpu devices/system/node firmware/dmi firmware/efi; do
        [ ! -d "$run/sys/$tree" ] || show "$run/sys/$tree" "/sys/$tree"
    done
    hide_module nvidia
    hide_module nouveau
    mount -t overlay lab -o "lowerdir=$run/sys/module:/sys/module" /sys/module
    mount --bind "$run/gpus.csv" /lab/gpus.csv
}

while IFS=, read -r pci _; do
    echo 0 >"$run/vram-used/$pci"
done </lab/gpus.csv
# shellcheck source=tests/lab/guest/driver.sh
. /lab/driver.sh
show_board
show_sysctl

# Sourced by hardware.sh: which kernel driver each card has after this boot.
#
# As on a real machine the packages only lay files; what they mean shows at the next boot. The
# module that the guest installed is read by modinfo, the rules of each card come from
# /lab/rules.csv (reference/nvidia.md §1).
# Reads $run and $kernel; changes $run/sys, $run/proc and $run/gpus.csv.
# shellcheck shell=sh disable=SC2154

pci_tree="$run/sys/bus/pci"

nouveau_is_off() {
    cat /etc/modprobe.d/*.conf /run/modprobe.d/*.conf /usr/lib/modprobe.d/*.conf 2>/dev/null |
        grep -Eq '^[[:space:]]*(blacklist[[:space:]]+nouveau([[:space:]]|$)|install[[:space:]]+nouveau[[:space:]]|alias[[:space:]]+nouveau[[:space:]]+off)'
}

# bind PCI DRIVER: make the `driver` link of a card; an empty DRIVER removes it.
bind() {
    rm -f "$pci_tree/devices/$1/driver" "$pci_tree"/drivers/*/"$1"
    [ -n "$2" ] || return 0
    mkdir -p "$pci_tree/drivers/$2"
    ln -s "../../drivers/$2" "$pci_tree/devices/$1/driver"
    ln -s "../../devices/$1" "$pci_tree/drivers/$2/$1"
}

# hide PCI: the driver answers nothing about this card.
hide_card() {
    grep -v "^$1," "$run/gpus.csv" >"$run/gpus.csv.new" || true
    mv "$run/gpus.csv.new" "$run/gpus.csv"
}

# probe PCI FLAVOURS FIRST LAST: what the installed module does with one card.
# A module of the right branch but the wrong flavour takes a Blackwell card and then fails to
# initialise it ("No devices were found"); any other mismatch leaves the card unbound.
probe() {
    if [ "$branch" -lt "$3" ] || [ "$branch" -gt "$4" ]; then
        fit=no
    else
        case "+$2+" in
        *"+$flavour+"*) fit=yes ;;
        *) if [ "$flavour" = proprietary ]; then fit=dead; else fit=no; fi ;;
        esac
    fi
    [ "$fit" = yes ] || hide_card "$1"
    [ "$fit" != no ] || return 0
    bind "$1" nvidia
    taken=$((taken + 1))
}

write_nvidia_proc() {
    mkdir -p "$run/proc/driver/nvidia/gpus" "$run/sys/module/nvidia"
    if [ "$flavour" = open ]; then
        text="NVIDIA UNIX Open Kernel Module for x86_64  $version  Release Build  (dvs-builder@U22-I3-AM02-24-3)"
    else
        text="NVIDIA UNIX x86_64 Kernel Module  $version"
    fi
    printf 'NVRM version: %s  Thu Aug 20 01:14:31 UTC 2026\nGCC version:  gcc version 14.2.0 (Debian 14.2.0-19) \n' \
        "$text" >"$run/proc/driver/nvidia/version"
    echo "$version" >"$run/sys/module/nvidia/version"
    echo live >"$run/sys/module/nvidia/initstate"
    while IFS=, read -r pci name _; do
        mkdir -p "$run/proc/driver/nvidia/gpus/$pci"
        printf 'Model: \t\t %s\nIRQ:   \t\t 16\nBus Type: \t PCIe\nBus Location: \t %s\nDevice Minor: \t 0\n' \
            "$name" "$pci" >"$run/proc/driver/nvidia/gpus/$pci/information"
    done <"$run/gpus.csv"
}

# The module that modprobe would take: built on the host (updates) before the distribution's own;
# Debian calls it nvidia-current. One that was built for another kernel does not load, and under
# Secure Boot none but one that the distribution signed (no other key is enrolled here).
installed_module() {
    for folder in "/lib/modules/$kernel/updates" "/lib/modules/$kernel"; do
        ko=$(find "$folder" -name 'nvidia.ko*' -o -name 'nvidia-current.ko*' 2>/dev/null | head -n 1)
        [ -z "$ko" ] || break
    done
    case "$(modinfo -F vermagic "$ko" 2>/dev/null)" in
    "$kernel "*) ! secure_boot || signed "$ko" || return 0 ;;
    *) return 0 ;;
    esac
    echo "$ko"
}

secure_boot() {
    value=$(od -An -t u1 -j 4 -N 1 "$run"/sys/firmware/efi/efivars/SecureBoot-* 2>/dev/null)
    [ "${value##* }" = 1 ]
}

signed() {
    [ "$(modinfo -F signer "$1")" = "Canonical Ltd. Kernel Module Signing" ]
}

load_nvidia() {
    version=$(modinfo -F version "$1")
    branch=${version%%.*}
    flavour=proprietary
    [ "$(modinfo -F license "$1")" != "Dual MIT/GPL" ] || flavour=open
    taken=0
    while IFS=, read -r pci flavours first last; do
        probe "$pci" "$flavours" "$first" "$last"
    done </lab/rules.csv
    # With no card to drive the real module refuses to load (ENODEV).
    [ "$taken" -eq 0 ] || write_nvidia_proc
}

if [ -s /lab/rules.csv ]; then
    ko=$(installed_module)
    if ! nouveau_is_off; then
        mkdir -p "$run/sys/module/nouveau"
        echo live >"$run/sys/module/nouveau/initstate"
        : >"$run/gpus.csv"
    else
        while IFS=, read -r pci _; do
            bind "$pci" ""
        done </lab/rules.csv
        if [ -n "$ko" ]; then load_nvidia "$ko"; else : >"$run/gpus.csv"; fi
    fi
    if [ -e /proc/modules ]; then
        for module in "$run"/sys/module/*/; do
            name=${module%/}
            echo "${name##*/} 2482176 0 - Live 0x0000000000000000"
        done >"$run/proc/modules"
    fi
fi

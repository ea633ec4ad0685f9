#!/bin/sh
# Stand-in for nvidia-smi: answers from the lab's list of cards (/lab/gpus.csv) in the real words.
cards=${BOXWRIGHT_LAB_CARDS:-/lab/gpus.csv}
library=$(readlink /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1 2>/dev/null)
library=${library##*libnvidia-ml.so.}
loaded=$(cat /sys/module/nvidia/version 2>/dev/null)
query='' apps='' format='' id='' action=plain


while [ $# -gt 0 ]; do
    case $1 in
    --query-gpu=*) query=${1#*=} action=query ;;
    --query-compute-apps=*) apps=${1#*=} action=apps ;;
    --format=*) format=${1#*=} ;;
    --id=*) id=${1#*=} ;;
    -i) id=$2 && shift ;;
    -L | --list-gpus) action=list ;;
    -pm) mode=$2 action=persistence && shift ;;
    -h | --help) action=help ;;
    *)
        echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."
        exit 2
        ;;
    esac
    shift
done

if [ $action = help ]; then
    echo "NVIDIA System Management Interface -- v${library:-unknown}"
    exit 0
fi
if [ -z "$library" ]; then
    echo "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure that the NVIDIA Display Driver is properly installed and present in your system."
    echo "Please also try adding directory that contains libnvidia-ml.so to your system PATH."
    exit 12
fi
if [ -z "$loaded" ] || [ ! -e /proc/driver/nvidia/version ]; then
    echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running."
    echo
    exit 9
fi
if [ "$loaded" != "$library" ]; then
    echo "Failed to initialize NVML: Driver/library version mismatch"
    echo "NVML library version: ${library%.*}"
    exit 18
fi

# One line per card that the nvidia module holds: pci,name,vram,compute capability,uuid,persistence,
# link generation now and at most, link width now and at most, used MiB, pid and program holding it.
present() {
    sort "$cards" 2>/dev/null | while IFS=, read -r pci name vram compute used_file; do
        device=/sys/bus/pci/devices/$pci
        driver=$(readlink "$device/driver" 2>/dev/null)
        [ "${driver##*/}" = nvidia ] || continue
        sum=$(printf '%s' "$pci $name $(cat /etc/machine-id 2>/dev/null)" | md5sum)
        uuid=$(echo "$sum" | sed 's/^\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)\(.\{12\}\).*/GPU-\1-\2-\3-\4-\5/')
        read -r used pid program 2>/dev/null <"$used_file"
        mode=Disabled
        [ ! -e "/run/nvidia-smi/$pci.persistence" ] || mode=Enabled
        echo "$pci,$name,$vram,$compute,$uuid,$mode,$(generation "$device/current_link_speed"),$(
            generation "$device/max_link_speed"
        ),$(cat "$device/current_link_width" 2>/dev/null),$(
            cat "$device/max_link_width" 2>/dev/null
        ),${used:-0},${pid:-},${program:-}"
    done
}

generation() {
    case $(cat "$1" 2>/dev/null) in
    2.5*) echo 1 ;;
    5.0*) echo 2 ;;
    8.0*) echo 3 ;;
    16.0*) echo 4 ;;
    32.0*) echo 5 ;;
    esac
}

list=$(present)
if [ -z "$list" ]; then
    echo "No devices were found"
    exit 6
fi

if [ $action = persistence ]; then
    mkdir -p /run/nvidia-smi || exit 4
    echo "$list" | cut -d, -f1 | while read -r pci; do
        if [ "$mode" = 1 ]; then
            : >"/run/nvidia-smi/$pci.persistence"
            echo "Enabled persistence mode for GPU 0000$(echo "$pci" | tr a-f A-F)."
        else
            rm -f "/run/nvidia-smi/$pci.persistence"
            echo "Disabled persistence mode for GPU 0000$(echo "$pci" | tr a-f A-F)."
        fi
    done
    echo "All done."
    exit 0
fi

echo "$list" | awk -F, -v action="$action" -v query="$query" -v apps="$apps" -v format="$format" \
    -v id="$id" -v driver="$loaded" -v now="$(date '+%a %b %e %H:%M:%S %Y')" \
    -f /usr/share/nvidia/nvidia-smi.awk

# Asks for our own service, and for what the firmware tells.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # the parts share their variables

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

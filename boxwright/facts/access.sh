# shellcheck shell=sh
# Who we are on this host, whether we may become root, its clock and its init.
LC_ALL=C
export LC_ALL
show_access() {
    uid=$(id -u)
    said=
    if [ "$uid" = 0 ]; then
        root=yes
    elif ! command -v sudo >/dev/null; then
        root=no said='sudo: not installed'
    elif said=$(sudo -n true 2>&1); then
        root=yes
    else
        root=no
    fi
    said=$(printf %s "$said" | tr '\n\t' '  ')
    printf 'who\t%s\t%s\t%s\t%s\n' "$uid" "$(id -un)" "$root" "$said"
    if [ -d /run/systemd/system ]; then init=systemd; else read -r init </proc/1/comm; fi
    printf 'init\t%s\n' "$init"
    printf 'clock\t%s\n' "$(date +%s)"
}
show_access 2>/dev/null | encode

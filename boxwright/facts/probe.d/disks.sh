# Asks every mounted file system for its size.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # the parts share their variables

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

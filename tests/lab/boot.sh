# Boots one guest again and again until it powers off; runs as process 1 of its own pid namespace.
#
# Started by tests/lab/boot.py in private mount and pid namespaces: whatever becomes of the lab's
# own process, the end of this one ends the guest and unmounts all that was mounted for it.
# Variables: HOST_DIR LOWER NAME MACHINE NETNS CGROUP
set -u

mount -t overlay lab -o "lowerdir=$LOWER,upperdir=$HOST_DIR/root/upper,workdir=$HOST_DIR/root/work" \
    "$HOST_DIR/root/merged" || exit 1

# A pure cgroup2 tree (systemd wants one), and in it a group of this guest's own: guests that
# shared the root group would stop each other's services.
umount -R -l /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup || exit 1
mkdir -p "/sys/fs/cgroup/$CGROUP" || exit 1
echo $$ >"/sys/fs/cgroup/$CGROUP/cgroup.procs" || exit 1

# 133 is "the guest rebooted". SYS_TIME, SYS_MODULE and SYS_RAWIO would reach this machine's clock
# and kernel; without SYS_RESOURCE the memlock limit is a real limit on every machine alike.
while :; do
    systemd-nspawn --quiet --settings=no --directory="$HOST_DIR/root/merged" --boot \
        --register=no --keep-unit --machine="$MACHINE" --hostname="$NAME" \
        --network-namespace-path="/run/netns/$NETNS" --resolv-conf=off --timezone=off \
        --link-journal=no --console=read-only --suppress-sync=yes \
        --capability=all --rlimit=MEMLOCK=8388608 \
        --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO,CAP_SYS_RESOURCE \
        --bind-ro="$HOST_DIR/lab:/lab" --bind="$HOST_DIR/models:/srv/models"
    status=$?
    [ "$status" = 133 ] || exit "$status"
done

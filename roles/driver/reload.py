"""The script that takes the old module out and loads the new one, without a reboot."""

from __future__ import annotations

# A module is only taken out when nothing but other modules uses it, which is asked before the first
# one goes: half of a driver would be worse than the old one. It is asked a first time before our
# services are stopped, without what they have open, so that they are not stopped in vain. `rmmod`
# without force, because `modprobe -r` does not find a module whose file a package has already
# removed.
#
# It is called with "reboot" where a reboot follows when something is in the way, which starts the
# services too; otherwise it starts again itself what it stopped. On standard output it says
# REFUSED where nothing was in the way and the kernel did not take the module: booting again would
# only repeat that, but for the few answers that hold until the next boot.
REFUSED = "refused"
RELOAD = f"""\
root=/sys/module
proc=/proc
modules="nvidia_uvm nvidia_drm nvidia_modeset nvidia_peermem nvidia nouveau"
ours='/(llama-server|nvidia-persistenced)[.]service(/|$)'
stopped= busy= code=1
finish() {{
  test -z "$stopped" || test "$1" = reboot -a -n "$busy" || systemctl start --no-block $stopped
  exit $code
}}
trap 'finish stay' HUP INT TERM
opened() {{
  case $1 in
    nvidia) device='nvidia([0-9]+|ctl)$' ;;
    nvidia_uvm) device='nvidia-uvm(-tools)?$' ;;
    nvidia_modeset) device='nvidia-modeset$' ;;
    nvidia_drm | nouveau) device='dri/' ;;
    *) echo 0; return ;;
  esac
  for process in "$proc"/[0-9]*; do
    ! grep -Eqs "$ours" "$process/cgroup" || ls -l "$process/fd" 2>/dev/null
  done | grep -cE -- "-> /dev/$device"
}}
users() {{
  held=$(opened "$1")
  for holder in "$root/$1"/holders/*; do
    case " $modules " in *" ${{holder##*/}} "*) held=$((held + 1)) ;; esac
  done
  echo $(($(cat "$root/$1/refcnt") - held))
}}
in_use() {{
  for module in $modules; do
    test -d "$root/$module" || continue
    test -r "$root/$module/refcnt" || {{ echo "module $module cannot be unloaded"; return; }}
    count=$(users "$module")
    test "$count" -le 0 || {{ echo "module $module is in use ($count users)"; return; }}
  done
}}
look() {{
  for try in 1 2 3 4 5; do
    busy=$(in_use)
    case $busy in '' | *cannot*) break ;; esac
    sleep 1
  done
  test -z "$busy" || {{ echo "$busy" >&2; finish "$1"; }}
}}
look "$1"
for unit in llama-server.service nvidia-persistenced.service; do
  ! systemctl is-active --quiet "$unit" || {{ systemctl stop "$unit" && stopped="$unit $stopped"; }}
done
look "$1"
loaded=
for module in $modules; do test ! -d "$root/$module" || loaded="$loaded $module"; done
test -z "$loaded" || rmmod $loaded || {{ busy=$loaded; finish "$1"; }}
if said=$(modprobe nvidia 2>&1); then
  modprobe nvidia-uvm || true; code=0
else
  printf '%s\\n' "$said" >&2
  case $said in
    *"not found in directory"* | *"resource busy"* | *"Cannot allocate memory"*) busy=kernel ;;
    *) test "$(cat "$proc/sys/kernel/modules_disabled" 2>/dev/null)" = 1 && busy=kernel ||
      echo {REFUSED} ;;
  esac
fi
finish "$1"
"""

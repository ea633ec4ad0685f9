"""The installed driver loaded: in place of the old one where that lets go, else by a reboot."""

from __future__ import annotations

from pyinfra.api import QuoteString
from pyinfra.context import host

from boxwright.operation import (
    Ask,
    Commands,
    machine_of_host,
    noop,
    operation,
    option,
    reboot_into_new_boot,
    refuse,
)
from boxwright.plan.results import Refusal
from roles.driver.defaults import DEFAULTS
from roles.driver.planned import planned_driver
from roles.driver.proofs import expected_cards
from roles.driver.state import kernel_says

# A module is only taken out when nothing but other modules uses it, which is asked before the first
# one goes: half of a driver would be worse than the old one. `rmmod` without force, because
# `modprobe -r` does not find a module whose file a package has already removed.
RELOAD = """\
root=/sys/module
modules="nvidia_uvm nvidia_drm nvidia_modeset nvidia_peermem nvidia nouveau"
stopped=
for unit in llama-server.service nvidia-persistenced.service; do
  ! systemctl is-active --quiet "$unit" || { systemctl stop "$unit" && stopped="$unit $stopped"; }
done
users() {
  test -r "$root/$1/refcnt" || { echo unknown; return; }
  held=0
  for holder in "$root/$1"/holders/*; do
    case " $modules " in *" ${holder##*/} "*) held=$((held + 1)) ;; esac
  done
  echo $(($(cat "$root/$1/refcnt") - held))
}
in_use() {
  for module in $modules; do
    test -d "$root/$module" || continue
    count=$(users "$module")
    test "$count" = 0 || { echo "module $module is in use ($count users)"; return; }
  done
}
for try in 1 2 3 4 5; do
  busy=$(in_use)
  case $busy in '' | *unknown*) break ;; esac
  sleep 1
done
loaded=
for module in $modules; do test ! -d "$root/$module" || loaded="$loaded $module"; done
if test -n "$busy"; then
  echo "$busy" >&2; code=1
elif { test -z "$loaded" || rmmod $loaded; } && modprobe nvidia; then
  modprobe nvidia-uvm || true; code=0
else
  code=1
fi
test $code -ne 0 -a "$1" = reboot || test -z "$stopped" || systemctl start --no-block $stopped
exit $code
"""


@operation
def load_driver() -> Commands:
    """Load the installed driver if it is not the loaded one; ask again afterwards."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if not driver.reboot:
        noop(f"driver {driver.branch} is loaded")
        return
    may_reboot = bool(option("driver_reboot", DEFAULTS["driver_reboot"]))
    why = ""
    if option("driver_reload", DEFAULTS["driver_reload"]):
        # where a reboot follows, what was stopped comes back with it
        ask = Ask("sh -c", QuoteString(RELOAD), "reload", "reboot" if may_reboot else "stay")
        yield ask
        why = " ".join(ask.said[-1:]) if not ask.succeeded else ""
        driver = yield from planned_driver()
        if driver is None or (not driver.reboot and _bound()):
            return
    if not may_reboot:
        yield from refuse(_not_allowed(why))
        return
    host.log(f"rebooting to load the driver{f' ({why})' if why else ''}")
    timeout_s = option("driver_reboot_timeout_s", DEFAULTS["driver_reboot_timeout_s"])
    yield from reboot_into_new_boot(float(timeout_s))
    driver = yield from planned_driver()
    if driver is not None and driver.reboot:
        yield from refuse(_not_loaded(driver.branch))


def _bound() -> bool:
    ours = expected_cards()
    return all(card.driver == "nvidia" for card in machine_of_host().gpus if card.pci in ours)


def _not_allowed(why: str) -> Refusal:
    nvidia = machine_of_host().nvidia
    reloaded = f", could not be loaded in its place ({why})" if why else ""
    return Refusal(
        f"the installed driver ({nvidia.installed}) is not the loaded one"
        f" ({nvidia.loaded or 'none'}){reloaded} and driver_reboot is False",
        "reboot this host, then run again, or set driver_reboot to True",
    )


def _not_loaded(branch: str) -> Refusal:
    nvidia = machine_of_host().nvidia
    return Refusal(
        f"after a reboot the loaded driver is {nvidia.loaded or 'none'}, needed is branch {branch}"
        f" ({nvidia.installed or 'no module'} on the disk; {kernel_says()})",
        "look at `journalctl -k -b`, and at Secure Boot and other kernels in the boot menu, then"
        " run again",
    )

"""The kernel's side of the driver: nouveau off, the module built, and the reboot that loads it."""

from __future__ import annotations

from pyinfra.api import QuoteString, StringCommand
from pyinfra.context import host

from boxwright.operation import (
    Commands,
    attempt,
    machine_of_host,
    noop,
    operation,
    option,
    reboot_into_new_boot,
    refuse,
    rendered,
)
from boxwright.plan.results import Refusal
from roles.driver.defaults import DEFAULTS
from roles.driver.planned import planned_driver
from roles.driver.state import BuildReport, KernelReport, Nouveau

BLACKLIST = "/etc/modprobe.d/boxwright-nouveau.conf"


@operation
def keep_nouveau_off() -> Commands:
    """Blacklist nouveau where no package did, and renew an initramfs that would still load it."""
    driver = yield from planned_driver()
    if driver is None:
        return
    kernel = machine_of_host().os.kernel
    state = host.get_fact(Nouveau, kernel=kernel)
    if not state.off:
        yield from rendered(BLACKLIST)
        state = host.get_fact(Nouveau, kernel=kernel)
    if state.loaded and state.stale_initramfs:
        yield attempt(
            StringCommand("update-initramfs -u -k", QuoteString(kernel)),
            Refusal(
                f"the initramfs of kernel {kernel} could not be renewed, so nouveau would be"
                " loaded from it",
                "free space on /boot (update-initramfs says why above), then run again",
            ),
        )


@operation
def have_module() -> Commands:
    """Have the planned module on the disk for this kernel; no reboot is tried without it."""
    driver = yield from planned_driver()
    if driver is None:
        return
    machine = machine_of_host()
    kernel = machine.os.kernel
    if machine.nvidia.installed is None:
        # dkms may have been killed, or headers may have come after the module's source
        yield StringCommand(
            "! command -v dkms >/dev/null || dkms autoinstall -k", QuoteString(kernel), "|| true"
        )
        machine = machine_of_host()
    installed, flavour = machine.nvidia.installed, machine.nvidia.flavour
    if installed is None:
        report = host.get_fact(BuildReport)
        said = "; ".join(report) or "dkms says nothing"
        yield from refuse(
            Refusal(
                f"there is no NVIDIA module for kernel {kernel} although the packages of branch"
                f" {driver.branch} are installed, so a reboot would leave the cards dark ({said})",
                "mend the build (dkms autoinstall shows why), or use a kernel that this branch"
                " supports, then run again",
            )
        )
    elif installed.split(".")[0] != driver.branch or flavour not in (None, driver.flavour):
        yield from refuse(
            Refusal(
                f"the module for kernel {kernel} is {installed} {flavour or ''}, needed is branch"
                f" {driver.branch} {driver.flavour}",
                "remove what installed it (a package of another source, or NVIDIA's installer:"
                " nvidia-uninstall), then run again",
            )
        )
    elif machine.nvidia.userspace != installed:
        yield from refuse(
            Refusal(
                f"the libraries are of driver {machine.nvidia.userspace or 'none'}, the module is"
                f" {installed}; nvidia-smi works with one version only",
                "remove what installed the other (another package source, or NVIDIA's installer:"
                " nvidia-uninstall), then run again",
            )
        )
    else:
        noop(f"module {installed} is there for kernel {kernel}")


@operation
def load_by_reboot() -> Commands:
    """Reboot once if the installed driver is not the loaded one; ask again afterwards."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if not driver.reboot:
        noop(f"driver {driver.branch} is loaded")
        return
    if not option("driver_reboot", DEFAULTS["driver_reboot"]):
        yield from refuse(
            Refusal(
                "the installed driver is not the loaded one and driver_reboot is False",
                "reboot this host, then run again, or set driver_reboot to True",
            )
        )
        return
    host.log("rebooting to load the driver")
    timeout_s = option("driver_reboot_timeout_s", DEFAULTS["driver_reboot_timeout_s"])
    yield from reboot_into_new_boot(float(timeout_s))
    driver = yield from planned_driver()
    if driver is not None and driver.reboot:
        yield from refuse(_not_loaded(driver.branch))


def _not_loaded(branch: str) -> Refusal:
    nvidia = machine_of_host().nvidia
    told = host.get_fact(KernelReport)
    said = "; ".join(told) or "the kernel's log says nothing of it"
    return Refusal(
        f"after a reboot the loaded driver is {nvidia.loaded or 'none'}, needed is branch {branch}"
        f" ({nvidia.installed or 'no module'} on the disk; {said})",
        "look at `journalctl -k -b`, and at Secure Boot and other kernels in the boot menu, then"
        " run again",
    )

"""The kernel's side of the driver before it is loaded: nouveau off, the module built and known."""

from __future__ import annotations

import shlex

from pyinfra.api import QuoteString, StringCommand
from pyinfra.context import host

from boxwright.operation import (
    Ask,
    Commands,
    attempt,
    machine_of_host,
    noop,
    operation,
    refuse,
    rendered,
)
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.boot import BUILD, next_kernel, serve_next_kernel
from roles.driver.planned import HOST_BUILD, planned_driver
from roles.driver.state import ModuleListed, Nouveau, build_says

BLACKLIST = "/etc/modprobe.d/boxwright-nouveau.conf"
RENEW_INITRAMFS = (
    "if command -v update-initramfs >/dev/null; then update-initramfs -u -k {kernel};"
    " else dracut --force --kver {kernel}; fi"
)


@operation
def keep_nouveau_off() -> Commands:
    """Blacklist nouveau where no package did, and renew an initramfs that would still load it."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if driver.build == HOST_BUILD:
        noop("the kernel is that of this container's host")
        return
    kernel = machine_of_host().os.kernel
    state = host.get_fact(Nouveau, kernel=kernel)
    if not state.off:
        yield from rendered(BLACKLIST)
        state = host.get_fact(Nouveau, kernel=kernel)
    if not state.loaded:
        return
    for one in dict.fromkeys((kernel, next_kernel())):
        if host.get_fact(Nouveau, kernel=one).stale_initramfs:
            yield attempt(
                StringCommand(RENEW_INITRAMFS.format(kernel=shlex.quote(one))),
                Refusal(
                    f"the initramfs of kernel {one} could not be renewed, so nouveau would be"
                    " loaded from it",
                    "free space on /boot (the lines above say why), then run again",
                ),
            )


@operation
def have_module() -> Commands:
    """Have the planned module on the disk for this kernel; no reboot is tried without it."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if driver.build == HOST_BUILD:
        noop("the module is that of this container's host")
        return
    kernel = machine_of_host().os.kernel
    if not _fits(driver) and driver.build in BUILD:
        # a build may have been killed, or headers may have come after the module's source
        yield Ask(BUILD[driver.build].format(kernel=shlex.quote(kernel)))
    if not _fits(driver):
        yield from refuse(_module_fault(driver))
        return
    if driver.reboot and not host.get_fact(ModuleListed, kernel=kernel):
        yield StringCommand("depmod -a", QuoteString(kernel))
    if driver.reboot:
        yield from serve_next_kernel(driver)
    noop(f"module {machine_of_host().nvidia.installed} is there for kernel {kernel}")


def _fits(driver: DriverPlan) -> bool:
    """Whether the module for this kernel is the planned one, and the libraries are its own."""
    nvidia = machine_of_host().nvidia
    return _of_plan(driver) and nvidia.userspace == nvidia.installed


def _of_plan(driver: DriverPlan) -> bool:
    nvidia = machine_of_host().nvidia
    branch = (nvidia.installed or "").split(".")[0]
    return branch == driver.branch and nvidia.flavour in (None, driver.flavour)


def _module_fault(driver: DriverPlan) -> Refusal:
    machine = machine_of_host()
    kernel, nvidia = machine.os.kernel, machine.nvidia
    if nvidia.installed is None:
        return _no_module(driver, kernel)
    built = f"the last build: {build_says()}" if driver.build in BUILD else "not built here"
    mend = (
        "remove what installed {} (a package of another source, or NVIDIA's installer:"
        " nvidia-uninstall), or mend the build, then run again"
    )
    if not _of_plan(driver):
        return Refusal(
            f"the module for kernel {kernel} is {nvidia.installed} {nvidia.flavour or ''}, needed"
            f" is branch {driver.branch} {driver.flavour} ({built})",
            mend.format("it"),
        )
    return Refusal(
        f"the libraries are of driver {nvidia.userspace or 'none'}, the module for kernel {kernel}"
        f" is {nvidia.installed}; nvidia-smi works with one version only ({built})",
        mend.format("the other"),
    )


def _no_module(driver: DriverPlan, kernel: str) -> Refusal:
    there = (
        f"there is no NVIDIA module for kernel {kernel} although the packages of branch"
        f" {driver.branch} are installed, so a reboot would leave the cards dark"
    )
    if driver.build not in BUILD:
        return Refusal(
            f"{there}: the distribution has signed none for it yet",
            "boot a kernel it has signed one for, or wait for it, then run again",
        )
    shows = "akmods --force" if driver.build == "akmods" else "dkms autoinstall"
    return Refusal(
        f"{there} ({build_says()})",
        f"mend the build ({shows} shows why), or use a kernel that this branch supports, then run"
        " again",
    )

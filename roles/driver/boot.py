"""The kernel that boots next, where a newer one is installed than the one that runs."""

from __future__ import annotations

import shlex

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.context import host

from boxwright.operation import (
    Ask,
    Commands,
    available_packages,
    headers_of_kernel,
    installed_packages,
    machine_of_host,
    manager_of_host,
    newest_of_flavour,
    quoted,
)
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.state import ModuleListed, build_says

# dkms and akmods build for every driver they know of; what is built already is left alone
BUILD = {
    "dkms": "! command -v dkms >/dev/null || dkms autoinstall -k {kernel}",
    "akmods": "akmods --force --kernels {kernel}",
}


class BootKernels(FactBase[tuple[str, ...]]):
    """The kernels in /boot, oldest first; after them the boot loader's default where it tells one.

    None where the running one is not there: then the host boots in another way.
    """

    @staticmethod
    def default() -> tuple[str, ...]:
        """None is known."""
        return ()

    def command(self, kernel: str) -> StringCommand:
        """Debian's GRUB starts the newest, Red Hat's the one that grubby names."""
        return StringCommand(
            "! test -e", QuoteString(f"/boot/vmlinuz-{kernel}"), "|| {",
            "ls -1 /boot/vmlinuz-* | sort -V;",
            "! command -v grubby >/dev/null || grubby --default-kernel 2>/dev/null |",
            "sed -n 's|^\\(.*/vmlinuz-\\)|default \\1|p'; }",
        )  # fmt: skip

    def process(self, output: list[str]) -> tuple[str, ...]:
        """Names as `uname -r` gives them; the default has its word before it."""
        return tuple(
            f"{'default ' if line.startswith('default ') else ''}{line.partition('/vmlinuz-')[2]}"
            for line in (one.strip() for one in output)
            if "/vmlinuz-" in line
        )


def next_of(running: str, found: tuple[str, ...]) -> str:
    """The kernel that boots next: the default, else the newest of the running one's flavour."""
    for name in found:
        if name.startswith("default "):
            return name.removeprefix("default ")
    return newest_of_flavour(running, found)


def next_kernel() -> str:
    """The kernel that this host boots next, which is the running one on most."""
    running = machine_of_host().os.kernel
    found: tuple[str, ...] = host.get_fact(BootKernels, kernel=running)
    return next_of(running, found)


def dark_after_boot() -> Refusal | None:
    """Why a reboot would leave the cards without a driver, or None."""
    running, following = machine_of_host().os.kernel, next_kernel()
    if following == running or host.get_fact(ModuleListed, kernel=following):
        return None
    return Refusal(
        f"the next boot starts kernel {following}, not {running}, and there is no NVIDIA module for"
        f" it, so a reboot would leave the cards dark ({build_says()})",
        f"reboot this host into kernel {following} first, then run again, which makes the driver"
        f" ready for that; or have {running} boot by default",
    )


def serve_next_kernel(driver: DriverPlan) -> Commands:
    """Have the module for the kernel that boots next, as far as there are packages for it."""
    running, following = machine_of_host().os.kernel, next_kernel()
    if following == running or host.get_fact(ModuleListed, kernel=following):
        return
    names = _packages_for(running, following)
    missing = [name for name in names if name not in installed_packages(names)]
    there = [name for name in missing if name in available_packages(missing)]
    if there:
        manager = manager_of_host()
        yield from manager.patiently(
            f"{manager.install} {quoted(there)}",
            Refusal(
                f"{manager.tool} could not install {' '.join(there)}",
                "mend what is told in brackets, then run again",
            ),
        )
    if driver.build in BUILD:
        yield Ask(BUILD[driver.build].format(kernel=shlex.quote(following)))


def _packages_for(running: str, following: str) -> tuple[str, ...]:
    """The modules that the distribution signed for it, where the running one's are such; else the
    headers to build one with.
    """
    signed = installed_packages([f"linux-modules-nvidia-*-{running}"])
    if signed:
        return tuple(name.removesuffix(running) + following for name in signed)
    headers = headers_of_kernel(following)
    return (headers,) if headers else ()

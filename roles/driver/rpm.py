"""What dnf needs before a driver: further repositories, the module stream, the branch locked.

Facts: reference/nvidia.md, 3.7, and the manual of dnf-versionlock.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.context import host

from boxwright.operation import (
    Commands,
    enable_repositories,
    install_packages,
    installed_packages,
    manager_of_host,
    noop,
    operation,
    quoted,
    rpmfusion_releases,
    update_lists,
)
from boxwright.operation.dnf import DNF, Locks
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.packages import carries_driver, lockable, of_branch
from roles.driver.planned import planned_with

CURE = "mend what is told in brackets, then run again"


class EnabledStream(FactBase[str | None]):
    """The stream of a module that is enabled, or None."""

    @staticmethod
    def default() -> str | None:
        """No stream is chosen."""
        return None

    def command(self, module: str) -> StringCommand:
        """dnf's own note of it."""
        return StringCommand(
            "sed '' ", QuoteString(f"/etc/dnf/modules.d/{module}.module"), "2>/dev/null || true"
        )

    def process(self, output: list[str]) -> str | None:
        """NAME=VALUE lines; a module that was reset has a state that is empty."""
        pairs = dict(line.strip().split("=", 1) for line in output if "=" in line)
        return pairs.get("stream") if pairs.get("state") == "enabled" else None


@operation
def add_prerequisites() -> Commands:
    """Have the packages and repositories that the driver's own packages rest on."""
    driver = yield from planned_with("dnf")
    if driver is None:
        return
    yield from install_packages([name for name in driver.prerequisites if "/" not in name])
    yield from _add_releases(driver.prerequisites)
    yield from enable_repositories(driver.enable)


def _add_releases(prerequisites: Sequence[str]) -> Commands:
    """RPM Fusion's release packages, their signature checked by the distribution's copy of its key.

    This is what its own page of keys asks for; dnf checks no package file by itself.
    """
    wanted = rpmfusion_releases(prerequisites)
    there = installed_packages([one.package for one in wanted])
    missing = [one for one in wanted if one.package not in there]
    if not missing:
        return
    yield from install_packages(["distribution-gpg-keys"])
    manager = manager_of_host()
    yield from manager.patiently(
        f"rpmkeys --import {quoted([one.key for one in missing])}",
        Refusal("the keys of RPM Fusion could not be imported", CURE),
    )
    urls = [one.url for one in missing]
    yield from manager.patiently(
        f"{DNF} --setopt=localpkg_gpgcheck=True install {quoted(urls)}",
        Refusal(
            f"dnf could not install {' '.join(urls)}",
            "check the network of this host, driver_rpmfusion_url and proxy_url",
        ),
    )


@operation
def enable_stream() -> Commands:
    """Have the module stream of the branch, where the repository has streams."""
    driver = yield from planned_with("dnf")
    if driver is None:
        return
    if driver.module_stream is None:
        noop("the repository has no module streams")
        return
    module, _, stream = driver.module_stream.partition(":")
    if host.get_fact(EnabledStream, module=module) == stream:
        noop(f"stream {stream} is enabled")
        return
    yield from manager_of_host().patiently(
        f"{DNF} module reset {quoted([module])} && {DNF} module enable"
        f" {quoted([driver.module_stream])}",
        Refusal(f"dnf could not enable the module stream {driver.module_stream}", CURE),
    )


@operation
def lock_branch() -> Commands:
    """Have dnf see the planned branch only: locks of another one go, this one's are added.

    The patterns carry the version, since dnf would take one that an installed package matches for
    that package alone.
    """
    driver = yield from planned_with("dnf")
    if driver is None:
        return
    manager = manager_of_host()
    locks = host.get_fact(Locks)
    foreign = sorted({name for name, version in locks if not of_branch(driver, name, version)})
    if foreign:
        yield from manager.patiently(
            f"{DNF} versionlock delete {quoted(foreign)}",
            Refusal(f"dnf could not unlock {' '.join(foreign)}", CURE),
        )
    if not foreign and _locked(driver, {name for name, _ in locks}):
        noop(f"branch {driver.branch} is locked")
        return
    patterns = lockable(driver, driver.pin_packages)
    if not patterns:
        noop("the names of the packages keep the branch")
        return
    specs = [manager.spec(pattern, driver.pin_version) for pattern in patterns]
    yield from update_lists()
    yield from manager.patiently(
        f"{manager.hold} {quoted(specs)}",
        Refusal(f"dnf could not lock branch {driver.branch}", CURE),
    )


def _locked(driver: DriverPlan, names: set[str]) -> bool:
    carriers = (name for name in driver.packages if carries_driver(driver, name))
    return all(name in names for name in lockable(driver, carriers))

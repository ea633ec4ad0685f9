"""The driver's packages: the planned branch installed, another one removed, and held."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.context import host

from boxwright.operation import (
    Commands,
    available_packages,
    install_packages,
    installed_packages,
    manager_of_host,
    noop,
    operation,
    quoted,
    refuse,
    rendered,
    update_lists,
)
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.packages import packages_to_install, pin_of, unavailable, wanted_names
from roles.driver.planned import planned_driver
from roles.driver.repository import pinned
from roles.driver.state import build_says

NO_UPGRADES = "/etc/apt/apt.conf.d/52boxwright-driver"
BUILD_FAILED = "Bad return status for module build"  # dkms; its log tells the reason
CURE = "mend what is told in brackets, then run again"


def _missing(driver: DriverPlan) -> tuple[str, ...]:
    return packages_to_install(driver, installed_packages(wanted_names(driver)))


@operation
def install_packages_of_branch() -> Commands:
    """Have the driver's packages without recommends; the wrong ones go only when these can come."""
    driver = yield from planned_driver()
    if driver is None:
        return
    missing = _missing(driver)
    wrong = tuple(installed_packages(driver.remove))
    if not missing and not wrong:
        noop(f"driver {driver.branch} is installed")
        return
    yield from update_lists()
    refusal = unavailable(driver, available_packages(_specs(driver, wanted_names(driver))))
    if refusal is not None:
        yield from refuse(refusal)
        return
    host.log(f"driver {driver.branch} {driver.flavour} is being installed; this takes minutes")
    yield from _change(driver, missing, wrong)


def _change(driver: DriverPlan, missing: tuple[str, ...], wrong: tuple[str, ...]) -> Commands:
    manager = manager_of_host()
    if wrong:
        yield from manager.patiently(
            f"{manager.remove} {quoted(wrong)}",
            Refusal(f"{manager.tool} could not remove {' '.join(wrong)}", CURE),
        )
        missing = _missing(driver)
    if missing:
        yield from manager.patiently(
            f"{manager.install_exactly} {quoted(_specs(driver, missing))}",
            Refusal(f"{manager.tool} could not install {' '.join(missing)}", CURE),
            _told_by_build,
        )


def _told_by_build(said: Sequence[str]) -> str:
    """What the log of the module's build says, if it is the build that failed in a package."""
    failed = any(BUILD_FAILED in line for line in said)
    return build_says() if failed else ""


def _specs(driver: DriverPlan, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, with the branch's version where the manager takes it there."""
    manager = manager_of_host()
    return tuple(manager.spec(name, pin_of(driver, name)) for name in names)


@operation
def hold_packages() -> Commands:
    """Keep upgrades from changing the branch: holds or locks; unattended-upgrades is told too."""
    driver = yield from planned_driver()
    if driver is None:
        return
    manager = manager_of_host()
    # with dnf everything of the driver's version: what is not locked would be pulled past the rest
    known = installed_packages(driver.hold if manager.name == "apt" else driver.pin_packages)
    free = [name for name, package in known.items() if not package.held]
    if free:
        # where a driver is kept nothing was installed for it, so perhaps not what locks either
        yield from install_packages([one for one in driver.prerequisites if "versionlock" in one])
        yield from manager.patiently(
            f"{manager.hold} {quoted(free)}",
            Refusal(f"{manager.tool} could not hold {' '.join(free)} at its version", CURE),
        )
    if manager.name == "apt" and (known or pinned(driver)):
        yield from rendered(NO_UPGRADES)

"""The driver's packages: the planned branch installed, another one removed, and held."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.context import host
from pyinfra.facts.files import File

from boxwright.operation import (
    Commands,
    Manager,
    Package,
    absent,
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
from roles.driver.packages import (
    PARTS,
    known_by,
    lockable,
    not_the_driver_s,
    packages_to_install,
    packages_to_remove,
    pin_of,
    renewed_and_gone,
    unavailable,
    wanted_names,
)
from roles.driver.planned import planned_driver
from roles.driver.repository import pinned
from roles.driver.state import build_says

SIGNED = "linux-modules-nvidia-*"
NO_UPGRADES = "/etc/apt/apt.conf.d/52boxwright-driver"
BUILD_FAILED = "Bad return status for module build"  # dkms; its log tells the reason
UNREAD_LINES = 6  # of an answer that is not understood
CURE = "mend what is told in brackets, then run again"


@operation
def install_packages_of_branch() -> Commands:
    """Have the driver's packages without recommends; the wrong ones go as these come."""
    driver = yield from planned_driver()
    if driver is None:
        return
    missing, wrong = _missing(driver), _wrong(driver)
    if not missing and not wrong:
        noop(f"driver {driver.branch} is installed")
        return
    yield from update_lists()
    known = available_packages(_specs(driver, missing))
    refusal = unavailable(driver, missing, known)
    if refusal is not None:
        yield from refuse(refusal)
        return
    host.log(f"driver {driver.branch} {driver.flavour} is being installed; this takes minutes")
    new = tuple(name for name in missing if name in known)
    renewed, gone = renewed_and_gone(driver, wrong, available_packages(tuple(wrong)))
    yield from _change(driver, tuple(dict.fromkeys((*new, *renewed))), gone)
    wrong = _wrong(driver)
    if wrong:  # what did not have to go for the new one
        yield from _change(driver, (), tuple(wrong))


def _missing(driver: DriverPlan) -> tuple[str, ...]:
    return packages_to_install(driver, installed_packages(known_by(wanted_names(driver))))


def _wrong(driver: DriverPlan) -> dict[str, Package]:
    return packages_to_remove(driver, installed_packages(driver.remove))


def _change(driver: DriverPlan, missing: tuple[str, ...], wrong: tuple[str, ...]) -> Commands:
    """Packages come and go in one transaction, so that a download that fails takes nothing away.

    What it would do is asked first: nothing but parts of a driver may be removed by it.
    """
    manager = manager_of_host()
    change = manager.change(_specs(driver, missing), wrong)
    failed = Refusal(
        f"{manager.tool} could not install {' '.join(missing)}"
        if missing
        else f"{manager.tool} could not remove {' '.join(wrong)}",
        CURE,
    )
    said = yield from manager.patiently(change.rehearsal, failed)
    gone = manager.removals(said)
    if gone is None:
        yield from refuse(_unreadable(manager, change.command, said))
        return
    foreign = not_the_driver_s(driver, gone)
    if foreign:
        yield from refuse(
            Refusal(
                f"to install driver {driver.branch} {manager.tool} would remove"
                f" {', '.join(foreign)}, which is more than a driver",
                f"remove {', '.join(foreign)} yourself if it is not needed, or choose another"
                " driver_source or driver_branch, then run again",
            )
        )
        return
    yield from manager.patiently(change.command, failed, _told_by_build)


def _unreadable(manager: Manager, command: str, said: Sequence[str]) -> Refusal:
    """Nothing is done on a guess of what it would take away."""
    shown = " / ".join(line.strip() for line in said[-UNREAD_LINES:] if line.strip())
    asks = command.replace(" -y ", " --assumeno ")
    return Refusal(
        f"what {manager.tool} would remove for the driver cannot be read from its answer, which"
        f" ends: {shown or 'nothing at all'}",
        f"run `{asks}` on the host, look at what it would remove, and report its answer",
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
    if _moves_with_kernels(driver):
        yield from _hold_nothing()
        return
    manager, free = manager_of_host(), not_held(driver)
    if free:
        # where a driver is kept nothing was installed for it, so perhaps not what locks either
        yield from install_packages([one for one in driver.prerequisites if "versionlock" in one])
        yield from manager.patiently(
            f"{manager.hold} {quoted(free)}",
            Refusal(f"{manager.tool} could not hold {' '.join(free)} at its version", CURE),
        )
    if manager.name == "apt" and (_to_hold(driver) or pinned(driver)):
        yield from rendered(NO_UPGRADES)


def not_held(driver: DriverPlan) -> tuple[str, ...]:
    """What is installed of the driver, and would have to be kept at its version, and is not."""
    if _moves_with_kernels(driver):
        return ()
    return tuple(name for name, package in _to_hold(driver).items() if not package.held)


def _moves_with_kernels(driver: DriverPlan) -> bool:
    signed = driver.build == "signed" or bool(installed_packages([SIGNED]))
    return manager_of_host().name == "apt" and signed


def _to_hold(driver: DriverPlan) -> dict[str, Package]:
    """What is installed of the plan's holds; of a kept driver from elsewhere, all of its parts."""
    if manager_of_host().name == "apt":
        return installed_packages(driver.hold) or installed_packages(driver.hold_else)
    # everything of the driver's version: what is not locked would be pulled past the rest
    known = installed_packages(driver.pin_packages) or installed_packages(driver.hold_else)
    return {name: known[name] for name in lockable(driver, known)}


def _hold_nothing() -> Commands:
    """Let the driver move with the kernels: each one's signed module needs parts of its version.

    Holds that were set while the module was built here, beside our file, go with that file.
    """
    noop("the distribution's signed modules move with its kernels; their names keep the branch")
    if not host.get_fact(File, path=NO_UPGRADES):
        return
    parts = installed_packages(PARTS)
    held = [name for name, package in parts.items() if package.held]
    if held:
        yield from manager_of_host().patiently(
            f"apt-mark unhold {quoted(held)}",
            Refusal(f"apt-mark could not let go of {' '.join(held)}", CURE),
        )
    yield from absent(NO_UPGRADES)

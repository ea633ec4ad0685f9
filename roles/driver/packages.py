"""Which packages a driver's plan means on a host: pure, over what is there and to be had."""

from __future__ import annotations

from fnmatch import fnmatchcase

from boxwright.operation import Package
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.planned import INSTALLED

UPGRADE = {"apt": "apt-get dist-upgrade", "dnf": "dnf upgrade"}


def carries_driver(driver: DriverPlan, name: str) -> bool:
    """Whether a package is one whose version is the driver's (kernel headers are not)."""
    return any(fnmatchcase(name, pattern) for pattern in driver.pin_packages)


def of_branch(driver: DriverPlan, name: str, version: str) -> bool:
    """Whether a package's version is the pinned branch's, or the pin does not speak of it."""
    if not carries_driver(driver, name):
        return True
    without_epoch = version.split(":", 1)[-1]
    return not driver.pin_version or fnmatchcase(without_epoch, driver.pin_version)


def wanted_names(driver: DriverPlan) -> tuple[str, ...]:
    """The plan's packages, the running kernel's headers first."""
    return tuple(name for name in (driver.headers, *driver.packages) if name)


def pin_of(driver: DriverPlan, name: str) -> str | None:
    """The version pattern that a package of the plan has to have, or None."""
    return driver.pin_version if carries_driver(driver, name) else None


def packages_to_install(driver: DriverPlan, known: dict[str, Package]) -> tuple[str, ...]:
    """The plan's packages that are missing, or there in another branch's version.

    A driver that is kept and of which no package is known (NVIDIA's installer file) needs none.
    """
    ours = any(name in known and carries_driver(driver, name) for name in driver.packages)
    if driver.source == INSTALLED and not ours:
        return ()
    names = driver.packages if driver.source == INSTALLED else wanted_names(driver)
    return tuple(
        name
        for name in names
        if name not in known or not of_branch(driver, name, known[name].version)
    )


def unavailable(driver: DriverPlan, known: dict[str, str]) -> Refusal | None:
    """Why the plan's packages cannot be had from the sources of this host, or None."""
    names = wanted_names(driver)
    if driver.headers is not None and driver.headers not in known:
        return Refusal(
            f"the headers of the running kernel ({driver.headers}) are in no package source of this"
            " host, and the driver's module is built with them",
            f"upgrade the kernel ({UPGRADE[driver.manager]}), reboot, then run again",
        )
    absent = [name for name in names if name not in known]
    if absent:
        return Refusal(
            f"no package source of this host has {', '.join(absent)} (driver {driver.branch} from"
            f" {driver.source})",
            "correct the sources of this host, or choose another driver_source or driver_branch",
        )
    wrong = [f"{name} {known[name]}" for name in names if not of_branch(driver, name, known[name])]
    if wrong:
        return Refusal(
            f"the sources would give {', '.join(wrong)}, needed is version {driver.pin_version}",
            "remove other preferences or holds of these packages, or choose another driver_branch",
        )
    return None

"""Which packages a driver's plan means on a host: pure, over what is there and to be had."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from boxwright.operation import Package
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.planned import INSTALLED

UPGRADE = {"apt": "apt-get dist-upgrade", "dnf": "dnf upgrade"}
# `kernel-devel-matched` brings the headers along with each new kernel. There is one of it, of the
# newest kernel that is installed, so it says nothing of the running one's headers.
FOLLOWS = re.compile(r"(?P<name>kernel\S*-devel-matched)-\d\S*")
# Packages of which one flavour has others than the other, or which are one kernel's module.
MODULES = (
    "nvidia-kernel-*dkms", "nvidia-kernel-source-*", "nvidia-dkms-*", "nvidia-headless-*",
    "nvidia-driver-[0-9]*", "nvidia-open*", "linux-*-nvidia-*", "*kmod-nvidia*",
)  # fmt: skip
BRANCH = re.compile(r"-(\d{3})(?=-|xx|$)")
VERSION = re.compile(r"(\d+:)?\d{3}\.\d")  # of a driver; some parts are numbered by their date
# What may go along with a driver: its own parts, but no container tools and no CUDA toolkit.
PARTS = ("*nvidia*", "libcuda1", "libcudadebugger1", "libnvcuvid1", "libnvoptix1", "cuda-drivers*")
OTHERS = ("*container*", "*nvidia-cuda-*", "*docker*")
ONE_KERNEL = re.compile(r"\d+\.\d+\.\d+")


def carries_driver(driver: DriverPlan, name: str) -> bool:
    """Whether a package is one whose version is the driver's (kernel headers are not)."""
    return _matches(_bare(name), driver.pin_packages)


def of_branch(driver: DriverPlan, name: str, version: str) -> bool:
    """Whether a package's version is the pinned branch's, or the pin does not speak of it."""
    if not carries_driver(driver, name):
        return True
    without_epoch = version.split(":", 1)[-1]
    return not driver.pin_version or fnmatchcase(without_epoch, driver.pin_version)


def wanted_names(driver: DriverPlan) -> tuple[str, ...]:
    """The plan's packages, the running kernel's headers first."""
    return tuple(name for name in (driver.headers, *driver.packages) if name)


def known_by(names: Iterable[str]) -> tuple[str, ...]:
    """By which names to ask whether packages are there: their own, and what stands for them."""
    return tuple(
        one
        for name in names
        for one in (name, *(found["name"] for found in FOLLOWS.finditer(name)))
    )


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
    return tuple(
        name
        for name in wanted_names(driver)
        if not any(one in known for one in known_by([name]))
        or (name in known and not of_branch(driver, name, known[name].version))
    )


def packages_to_remove(driver: DriverPlan, known: dict[str, Package]) -> dict[str, Package]:
    """Of the packages that match the plan's `remove` those that are no part of what is planned."""
    return {name: package for name, package in known.items() if not _belongs(driver, package)}


def _belongs(driver: DriverPlan, package: Package) -> bool:
    name = _bare(package.name)
    if of_branch(driver, name, package.version):
        return _may_be_there(driver, name)
    # what has no driver's version is the same for every branch
    return VERSION.match(package.version) is None and _may_be_there(driver, name)


def _may_be_there(driver: DriverPlan, name: str) -> bool:
    """Whether a package of this name may be part of the planned driver, in the right version."""
    if any(branch != driver.branch for branch in BRANCH.findall(name)):
        return False
    if name in (*wanted_names(driver), *driver.hold):
        return True
    return carries_driver(driver, name) and not _matches(name, MODULES)


def renewed_and_gone(
    driver: DriverPlan, wrong: dict[str, Package], available: dict[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the wrong packages those to have in the planned version, and those to take away.

    What the planned driver may need too is not to be taken away in the same transaction. Of that,
    what is held, or would be, has to be named, or apt leaves it as it is; the rest is the manager's
    to renew or to drop.
    """
    stays = [
        name
        for name in wrong
        if _may_be_there(driver, _bare(name))
        and name in available
        and of_branch(driver, name, available[name])
    ]
    ours = (*wanted_names(driver), *driver.hold)
    renewed = tuple(name for name in stays if wrong[name].held or _bare(name) in ours)
    return renewed, tuple(name for name in wrong if name not in stays)


def not_the_driver_s(driver: DriverPlan, names: Iterable[str]) -> tuple[str, ...]:
    """Of packages that would be removed those that are more than a part of a driver."""
    ours = (*driver.remove, *driver.pin_packages, *PARTS)
    return tuple(
        name for name in names if not _matches(_bare(name), ours) or _matches(_bare(name), OTHERS)
    )


def lockable(driver: DriverPlan, names: Iterable[str]) -> tuple[str, ...]:
    """Of names or patterns those whose version dnf has to be kept at.

    A name with the branch in it stays with the branch by itself, and a lock would only keep fixes
    away that a new kernel needs; a module of one kernel comes and goes with that.
    """
    return tuple(
        name for name in names if driver.branch not in name and not ONE_KERNEL.search(name)
    )


def unavailable(driver: DriverPlan, names: Iterable[str], known: dict[str, str]) -> Refusal | None:
    """Why packages of the plan that are missing cannot be had from this host's sources, or None."""
    missing = tuple(names)
    if driver.headers in missing and driver.headers not in known:
        return Refusal(
            f"the headers of the running kernel ({driver.headers}) are in no package source of this"
            " host, and the driver's module is built with them",
            f"upgrade the kernel ({UPGRADE[driver.manager]}), reboot, then run again",
        )
    absent = [name for name in missing if name not in known and not FOLLOWS.fullmatch(name)]
    if driver.build == "signed" and absent and all(map(ONE_KERNEL.search, absent)):
        return Refusal(
            f"no package source of this host has {', '.join(absent)}, the signed module of the"
            " running kernel: those of older kernels are taken away",
            f"upgrade the kernel ({UPGRADE[driver.manager]}), reboot, then run again",
        )
    if absent:
        return Refusal(
            f"no package source of this host has {', '.join(absent)} (driver {driver.branch} from"
            f" {driver.source})",
            "correct the sources of this host, or choose another driver_source or driver_branch",
        )
    wrong = [
        f"{name} {known[name]}"
        for name in missing
        if name in known and not of_branch(driver, name, known[name])
    ]
    if wrong:
        return Refusal(
            f"the sources would give {', '.join(wrong)}, needed is version {driver.pin_version}",
            "remove other preferences or holds of these packages, or choose another driver_branch",
        )
    return None


def _bare(name: str) -> str:
    """A name without the foreign architecture that apt puts behind it."""
    return name.partition(":")[0]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)

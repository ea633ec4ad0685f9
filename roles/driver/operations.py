"""The driver's packages: the planned branch installed, another one removed, and held."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.context import host

from boxwright.operation import (
    Commands,
    Package,
    installed_packages,
    noop,
    operation,
    patiently,
    refuse,
    rendered,
    update_lists,
)
from boxwright.operation.apt import KEEP_SETTINGS
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.planned import INSTALLED, planned_driver
from roles.driver.repository import pinned

NO_UPGRADES = "/etc/apt/apt.conf.d/52boxwright-driver"
INSTALL = (
    "apt-get install -y --no-install-recommends --allow-downgrades --allow-change-held-packages"
    f" {KEEP_SETTINGS}"
)
REMOVE = "apt-get remove --purge -y --allow-change-held-packages"


class Candidates(FactBase[dict[str, str]]):
    """The version apt would install of each package, by name; those it does not know are absent."""

    @staticmethod
    def default() -> dict[str, str]:
        """None known."""
        return {}

    def command(self, names: Sequence[str]) -> StringCommand:
        """One apt-cache policy for all."""
        return StringCommand("LC_ALL=C apt-cache policy", *(QuoteString(name) for name in names))

    def process(self, output: list[str]) -> dict[str, str]:
        """Read `NAME:` blocks with their `Candidate:` line."""
        found: dict[str, str] = {}
        name = ""
        for line in output:
            if line and not line.startswith(" "):
                name = line.removesuffix(":")
            elif line.strip().startswith("Candidate:"):
                version = line.split(":", 1)[1].strip()
                if version != "(none)":
                    found[name] = version
        return found


def carries_driver(driver: DriverPlan, name: str) -> bool:
    """Whether a package is one whose version is the driver's (kernel headers are not)."""
    return any(fnmatchcase(name, pattern) for pattern in driver.pin_packages)


def of_branch(driver: DriverPlan, name: str, version: str) -> bool:
    """Whether a package's version is the pinned branch's, or the pin does not speak of it."""
    if not carries_driver(driver, name):
        return True
    without_epoch = version.split(":", 1)[-1]
    return not driver.pin_version or fnmatchcase(without_epoch, driver.pin_version)


def packages_to_install(driver: DriverPlan, known: dict[str, Package]) -> tuple[str, ...]:
    """The plan's packages that are missing, or there in another branch's version.

    A driver that is kept and of which no package is known (NVIDIA's installer file) needs none.
    """
    ours = any(name in known and carries_driver(driver, name) for name in driver.packages)
    if driver.source == INSTALLED and not ours:
        return ()
    headers = (driver.headers,) if driver.headers and driver.source != INSTALLED else ()
    return tuple(
        name
        for name in (*headers, *driver.packages)
        if name not in known or not of_branch(driver, name, known[name].version)
    )


def unavailable(driver: DriverPlan, names: Sequence[str], known: dict[str, str]) -> Refusal | None:
    """Why these packages cannot be had from the sources of this host, or None."""
    if driver.headers in names and driver.headers not in known:
        return Refusal(
            f"the headers of the running kernel ({driver.headers}) are in no apt source of this"
            " host, and the driver's module is built with them",
            "upgrade the kernel (apt-get dist-upgrade), reboot, then run again",
        )
    absent = [name for name in names if name not in known]
    if absent:
        return Refusal(
            f"no apt source of this host has {', '.join(absent)} (driver {driver.branch} from"
            f" {driver.source})",
            "correct the sources of this host, or choose another driver_source or driver_branch",
        )
    wrong = [f"{n} {known[n]}" for n in names if not of_branch(driver, n, known[n])]
    if wrong:
        return Refusal(
            f"apt would install {', '.join(wrong)}, needed is version {driver.pin_version}",
            "remove other preferences or holds of these packages, or choose another driver_branch",
        )
    return None


def _missing(driver: DriverPlan) -> tuple[str, ...]:
    names = (*driver.packages, *([driver.headers] if driver.headers else []))
    return packages_to_install(driver, installed_packages(names))


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
    wanted = tuple(name for name in (driver.headers, *driver.packages) if name)
    refusal = unavailable(driver, wanted, host.get_fact(Candidates, names=list(wanted)))
    if refusal is not None:
        yield from refuse(refusal)
        return
    host.log(f"driver {driver.branch} {driver.flavour} is being installed; this takes minutes")
    cure = "mend what apt says in its last lines above, then run again"
    if wrong:
        named = " ".join(wrong)
        yield patiently(f"{REMOVE} {named}", Refusal(f"apt-get could not remove {named}", cure))
        missing = _missing(driver)
    if missing:
        named = " ".join(missing)
        yield patiently(f"{INSTALL} {named}", Refusal(f"apt-get could not install {named}", cure))


@operation
def hold_packages() -> Commands:
    """Keep upgrades from changing the branch: holds, and unattended-upgrades told apart."""
    driver = yield from planned_driver()
    if driver is None:
        return
    known = installed_packages(driver.hold)
    free = [name for name, package in known.items() if not package.held]
    if free:
        yield StringCommand("apt-mark hold", *(QuoteString(name) for name in free))
    if known or pinned(driver):
        yield from rendered(NO_UPGRADES)

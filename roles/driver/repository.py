"""Where the driver's packages come from: NVIDIA's repository; apt's components and its pin."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.context import host
from pyinfra.facts.apt import AptRepo, AptSources

from boxwright.operation import (
    Commands,
    absent,
    machine_of_host,
    noop,
    nvidia_repository_url,
    operation,
    rendered,
)
from boxwright.plan.results import DriverPlan
from roles.driver.key import KEYS
from roles.driver.planned import INSTALLED, NVIDIA_REPOSITORY, planned_driver, planned_with

SOURCES = {
    "apt": "/etc/apt/sources.list.d/boxwright-nvidia.sources",
    "dnf": "/etc/yum.repos.d/boxwright-nvidia.repo",
}
COMPONENTS = "/etc/apt/sources.list.d/boxwright-components.sources"
PIN = "/etc/apt/preferences.d/boxwright-nvidia"


@operation
def add_source() -> Commands:
    """Have NVIDIA's repository among the sources, or not, as planned."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if driver.source == NVIDIA_REPOSITORY:
        uri = f"{nvidia_repository_url()}/{driver.repository}/x86_64/"
        yield from rendered(SOURCES[driver.manager], uri=uri, key=KEYS[driver.manager])
    elif driver.source != INSTALLED:
        yield from absent(SOURCES[driver.manager])
        yield from absent(KEYS[driver.manager])


@operation
def add_components() -> Commands:
    """Have the components drivers lie in (`non-free`, `restricted`) of the host's own archives."""
    driver = yield from planned_with("apt")
    if driver is None:
        return
    if not driver.components:
        noop("no further component is needed")
        return
    codename = machine_of_host().os.codename or ""
    stanzas = stanzas_for(host.get_fact(AptSources), driver.components, codename)
    if not stanzas:
        noop(f"the components {' '.join(driver.components)} are there")
        return
    yield from rendered(COMPONENTS, stanzas=stanzas)


def stanzas_for(
    sources: Sequence[AptRepo], components: Sequence[str], codename: str
) -> list[dict[str, str]]:
    """Sources for the components that no source has, beside each `main` of this distribution."""
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    binary = [one for one in sources if one.type == "deb"]
    offered = {component for one in binary for component in one.components}
    missing = [component for component in components if component not in offered]
    found: list[dict[str, str]] = []
    for one in binary if missing else []:
        signed = one.options.get("signed-by", "")
        inline = not isinstance(signed, str) or "BEGIN PGP" in signed
        stanza = {
            "uri": one.url,
            "suite": one.distribution,
            "components": " ".join(missing),
            "key": "" if inline else str(signed),
        }
        ours = "main" in one.components and one.distribution in suites
        if ours and stanza not in found:
            found.append(stanza)
    return found


@operation
def pin_branch() -> Commands:
    """Have apt prefer the planned branch, also over a newer one."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if driver.manager != "apt" or not pinned(driver):
        noop("the branch needs no pin of apt's")
        return
    yield from rendered(PIN, packages=" ".join(driver.pin_packages), version=driver.pin_version)


def pinned(driver: DriverPlan) -> bool:
    """Whether the plan holds the branch by an apt preference."""
    return bool(driver.pin_packages and driver.pin_version)

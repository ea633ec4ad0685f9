"""Where the driver's packages come from: NVIDIA's repository; apt's components and its pin."""

from __future__ import annotations

from boxwright.operation import (
    Commands,
    absent,
    component_stanzas,
    is_sourced_elsewhere,
    noop,
    nvidia_repository_url,
    operation,
    rendered,
)
from boxwright.operation.nvidia import SOURCES
from boxwright.plan.results import DriverPlan
from roles.driver.key import KEYS
from roles.driver.planned import INSTALLED, NVIDIA_REPOSITORY, planned_driver, planned_with

COMPONENTS = "/etc/apt/sources.list.d/boxwright-components.sources"
DNF_ID = "boxwright-nvidia"
PIN = "/etc/apt/preferences.d/boxwright-nvidia"


@operation
def add_source() -> Commands:
    """Have NVIDIA's repository among the sources, or not, as planned."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if driver.source == NVIDIA_REPOSITORY:
        uri = f"{nvidia_repository_url()}/{driver.repository}/x86_64/"
        if driver.manager == "apt" and is_sourced_elsewhere(uri, KEYS["apt"]):
            yield from absent(SOURCES["apt"])
            noop("the repository is a source of this host already, with a key of its own")
            return
        yield from rendered(
            SOURCES[driver.manager], uri=uri, key=KEYS[driver.manager], id=DNF_ID, enabled=1
        )
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
    stanzas = component_stanzas(driver.components)
    if not stanzas:
        noop(f"the components {' '.join(driver.components)} are there")
        return
    yield from rendered(COMPONENTS, stanzas=stanzas)


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

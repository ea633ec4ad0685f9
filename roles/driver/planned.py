"""The driver that is planned for the host at this moment."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand

from boxwright.operation import noop, plan_for_host, refuse
from boxwright.plan.results import DriverPlan

INSTALLED = "installed"  # the plan's word for a driver that is there and is kept
NVIDIA_REPOSITORY = "nvidia-repository"
HOST_BUILD = "host"  # its module is that of the container's host


def planned_driver() -> Generator[PyinfraCommand, None, DriverPlan | None]:
    """The driver's plan; None, said or refused, if there is nothing to do for an operation."""
    plan = plan_for_host()
    if plan.refusal is not None:
        yield from refuse(plan.refusal)
        return None
    if plan.driver is None:
        noop("no NVIDIA card here needs a driver")
    return plan.driver


def planned_with(manager: str) -> Generator[PyinfraCommand, None, DriverPlan | None]:
    """The same for an operation of one package manager; None also where a driver is kept."""
    driver = yield from planned_driver()
    if driver is None or (driver.manager == manager and driver.source != INSTALLED):
        return driver
    noop("the driver is kept" if driver.source == INSTALLED else f"{driver.manager} needs none")
    return None

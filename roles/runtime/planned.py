"""The llama.cpp build that is planned for the host at this moment, and whether it is there."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from pyinfra.api.command import PyinfraCommand

from boxwright.facts import Releases
from boxwright.operation import (
    noop,
    plan_for_host,
    recently,
    refuse,
    stamped_as_planned,
    wanted_for_host,
)
from boxwright.plan.results import Refusal, RuntimePlan, SourceBuild


@dataclass(frozen=True)
class Planned:
    """One host's planned build; `directory` holds its releases, `there` says if this one is."""

    runtime: RuntimePlan
    directory: str
    there: bool


def planned_runtime() -> Generator[PyinfraCommand, None, Planned | None]:
    """The build's plan; None, with the host refused, where there is none."""
    plan = plan_for_host()
    if plan.refusal is not None or plan.runtime is None:
        yield from refuse(plan.refusal or Refusal("no runtime is planned", "report this"))
        return None
    directory = wanted_for_host().runtime_directory
    releases = recently(Releases, directory=directory)
    return Planned(plan.runtime, directory, stamped_as_planned(releases, plan.runtime))


def planned_source() -> Generator[PyinfraCommand, None, tuple[Planned, SourceBuild] | None]:
    """The same of a build from source; None, said or refused, where nothing is to be compiled."""
    planned = yield from planned_runtime()
    if planned is None:
        return None
    if planned.runtime.source is None:
        noop("upstream's release is taken: nothing is compiled")
        return None
    return planned, planned.runtime.source

"""The model a host is to have, resolved, worked out anew in each operation's body."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.facts import Models, ModelsState
from boxwright.operation import model_for_host, plan_for_host, refuse, wanted_for_host
from boxwright.plan.results import ModelPlan, Refusal
from roles.models.state import WantedFile, wanted_files


@dataclass(frozen=True)
class Job:
    """The model to have, resolved; `shape` as JSON, and the directory under which models lie."""

    model: ModelPlan
    commit: str
    shape: dict[str, Any]
    files: tuple[WantedFile, ...]
    models_directory: str

    def state(self) -> ModelsState:
        """What is on the model disk at this moment."""
        return host.get_fact(Models, directory=self.models_directory)


def planned_job() -> Generator[PyinfraCommand, None, Job | None]:
    """The model this host is to have; None, with the host refused, where it can have none."""
    job = _job_for_host()
    if isinstance(job, Refusal):
        yield from refuse(job)
        return None
    return job


def _job_for_host() -> Job | Refusal:
    plan = plan_for_host()
    if plan.refusal is not None or plan.model is None:
        return plan.refusal or Refusal("no model is planned", "report this")
    resolved = model_for_host()
    if isinstance(resolved, Refusal):
        return resolved
    files = wanted_files(plan.model, resolved.files)
    directory = wanted_for_host().models_directory
    return Job(plan.model, resolved.commit, resolved.shape.to_json(), files, directory)

"""Proof of a model's files: as large and as old as when they were checked; changes nothing."""

from __future__ import annotations

from boxwright.operation import Commands, noop, operation, refuse
from boxwright.plan.results import Refusal
from roles.models.job import planned_job
from roles.models.state import checked_before, settled


@operation
def prove_files() -> Commands:
    """Every file of the planned model is there, as large and as old as when it was checked."""
    job = yield from planned_job()
    if job is None:
        return
    state = job.state()
    if settled(state, job.model, job.files):
        noop(f"{job.model.name} {job.model.quant} is whole")
        return
    wrong = [file for file in job.files if not checked_before(state, job.model, file)]
    named = ", ".join(file.base_name for file in wrong) or "its stamp"
    yield from refuse(
        Refusal(
            f"model {job.model.name} {job.model.quant} in {job.model.directory} is not as stamped:"
            f" {named} missing or changed",
            "run deploy/all.py: what is there is checked again, what is missing is fetched",
        )
    )

"""What brings a model to its disk: adopt what is there, fetch what is not, check, stamp.

Weights are fetched by curl on the host; why not aria2 is told in `boxwright.operation.transfer`.
"""

from __future__ import annotations

import json

from boxwright.operation import (
    MIB,
    UNREACHABLE_CURE,
    Commands,
    Download,
    Need,
    endpoints_for_host,
    fetch,
    hub_file_url,
    hub_headers,
    machine_of_host,
    no_room,
    noop,
    operation,
    option,
    refuse,
    size_text,
    write_whole,
)
from boxwright.plan.results import Refusal
from roles.models.adopt import adopt
from roles.models.job import Job, planned_job
from roles.models.state import WantedFile, candidates, missing_bytes, present_at, settled, stamp_of


@operation
def adopt_files() -> Commands:
    """Take over what lies on the model disk, whoever brought it, once its sha256 is right."""
    job = yield from planned_job()
    if job is None:
        return
    state = job.state()
    if settled(state, job.model, job.files):
        noop("the stamp vouches for every file")
        return
    adopted = False
    for file in job.files:
        failed = yield from adopt(state, job, file)
        if failed is not None:
            yield from refuse(failed)
            return
        adopted = adopted or bool(candidates(state, file))
    if not adopted:
        noop("nothing to adopt")


@operation
def fetch_files() -> Commands:
    """Fetch the files that are not there yet; refuse before the first byte if they do not fit."""
    job = yield from planned_job()
    if job is None:
        return
    state = job.state()
    absent = [file for file in job.files if present_at(state, file.path) is None]
    if not absent:
        noop("every file is there")
        return
    to_come = missing_bytes(state, job.files)
    reserve_mib = int(option("models_disk_reserve_mib", 1024))
    need = Need(
        f"model {job.model.name} {job.model.quant} ({size_text(to_come)} to come,"
        f" {reserve_mib} MiB to stay free)",
        job.models_directory,
        to_come // MIB + reserve_mib,
        "free space there, choose a smaller quant with model_quant, or name another disk with"
        " models_directory",
    )
    full = no_room(machine_of_host(), need)
    if full is not None:
        yield from refuse(full)
        return
    for file in absent:
        failed = yield from fetch(_download(job, file), endpoints_for_host())
        if failed is not None:
            yield from refuse(failed)
            return


@operation
def stamp_files() -> Commands:
    """Write down what lies there, so that no later run hashes or asks for it again."""
    job = yield from planned_job()
    if job is None:
        return
    state = job.state()
    if settled(state, job.model, job.files):
        noop("the stamp is as planned")
        return
    for file in job.files:
        present = present_at(state, file.path)
        if present is None or present.size_bytes != file.size_bytes:
            yield from refuse(
                Refusal(
                    f"{file.path} has {present.size_bytes if present else 'no'} bytes, needed"
                    f" {file.size_bytes}",
                    "run deploy/all.py again",
                )
            )
            return
    stamp = stamp_of(job.model, job.commit, job.files, state, job.shape)
    yield write_whole(f"{job.model.directory}/boxwright.json", json.dumps(stamp) + "\n")


def _download(job: Job, file: WantedFile) -> Download:
    endpoints = endpoints_for_host()
    return Download(
        hub_file_url(endpoints.models_hub_url, job.model.repository, job.commit, file.name),
        file.path,
        file.size_bytes,
        file.sha256,
        headers=hub_headers(endpoints),
        unreachable_cure=UNREACHABLE_CURE,
    )

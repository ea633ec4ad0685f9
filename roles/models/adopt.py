"""One file that already lies on the model disk: checked, then left, renamed or linked."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.facts import ModelsState
from boxwright.operation import Ask, hashing_timeout_s, size_text
from boxwright.plan.results import Refusal
from roles.models.job import Job
from roles.models.state import WantedFile, candidates, checked_before, present_at

Steps = Generator[PyinfraCommand, None, Refusal | None]


def adopt(state: ModelsState, job: Job, file: WantedFile) -> Steps:
    """Have this file in its place if it is on the disk at all; a refusal for a wrong one."""
    present = present_at(state, file.path)
    if present is not None and present.size_bytes < file.size_bytes:
        # somebody's unfinished download: it goes on from there, and its sum is checked at the end
        if present_at(state, file.part) is None:
            yield StringCommand("mv -T", QuoteString(file.path), QuoteString(file.part))
            return None
        return _wrong_file(file, f"{present.size_bytes} bytes", f"{file.size_bytes} bytes")
    if present is not None and checked_before(state, job.model, file):
        return None
    if present is not None:
        found = yield from _sha256(file, file.path)
        if found != file.sha256:
            return _wrong_file(file, f"sha256 {found or 'unknown'}", f"sha256 {file.sha256}")
        yield StringCommand("chmod a+r", QuoteString(file.path))
        return None
    for path in candidates(state, file):
        found = yield from _sha256(file, path)
        if found != file.sha256:
            host.log(f"{path} is another file: sha256 {found or 'unknown'}")
            continue
        # a second name, not a copy: the first stays where its owner put it; another file system
        # below the models directory cannot give one, then the file is fetched
        target = QuoteString(file.path)
        link = Ask(
            "umask 022 && mkdir -p", QuoteString(job.model.directory), "&& chmod a+r",
            QuoteString(path), "&& ln", QuoteString(path), target,
        )  # fmt: skip
        yield link
        if link.succeeded:
            return None
    return None


def _sha256(file: WantedFile, path: str) -> Generator[PyinfraCommand, None, str]:
    host.log(f"{path}: checking the sha256 of {size_text(file.size_bytes)}")
    ask = Ask("sha256sum <", QuoteString(path), _timeout=hashing_timeout_s(file.size_bytes))
    yield ask
    return ask.last_line.split(" ")[0]


def _wrong_file(file: WantedFile, found: str, needed: str) -> Refusal:
    return Refusal(
        f"{file.path} has {found}, needed {needed}",
        "move that file away (it is not deleted, in case it is wanted), then run again",
    )

"""A release made whole under its own name: unpacked or copied beside, asked, stamped, renamed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator, Sequence

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand

from boxwright.operation import Ask, write_whole
from boxwright.plan.results import Refusal, RuntimePlan
from roles.runtime.binary import build_of, flags_of
from roles.runtime.releases import stamp_of

SERVICE_USER = "llama"
# with SELinux a file keeps the label of where it grew, and systemd may not start it
RELABEL = "! command -v restorecon >/dev/null || restorecon -RF"


def stage_of(runtime: RuntimePlan, directory: str) -> str:
    """Where a release grows before it has its name; a run that was killed leaves it to the next."""
    return f"{directory}/{runtime.release}.part"


def new_stage(stage: str) -> Generator[PyinfraCommand, None, None]:
    """An empty directory to grow in."""
    yield StringCommand("rm -rf --", QuoteString(stage))
    yield StringCommand("umask 022 && mkdir -p", QuoteString(stage))


def unpacked(archives: Sequence[str], stage: str) -> Generator[PyinfraCommand, None, None]:
    """The contents of archives, without their top directory: libraries beside the binary that
    looks for them there."""
    for archive in archives:
        yield StringCommand(
            "umask 022 && tar --extract --gzip --no-same-owner --strip-components=1 --file",
            QuoteString(archive), "--directory", QuoteString(stage),
        )  # fmt: skip


def finished(
    runtime: RuntimePlan, directory: str, sums: Sequence[tuple[str, str]]
) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Ask what lies in the stage, stamp it, give it its name; or why it is no such release."""
    stage = stage_of(runtime, directory)
    unloadable = yield from _unloadable(runtime, stage)
    if unloadable is not None:
        return unloadable
    flags = yield from _asked_flags(runtime, stage)
    if isinstance(flags, Refusal):
        return flags
    stamp = json.dumps(stamp_of(runtime, sums, flags), indent=1) + "\n"
    yield write_whole(f"{stage}/boxwright.json", stamp)
    whole = QuoteString(f"{directory}/{runtime.release}")
    # a release that is there without the stamp it should have is no release: the new one takes over
    yield StringCommand("rm -rf --", whole, "&& sync -f", QuoteString(stage),
                        "&& mv -T", QuoteString(stage), whole,
                        "&& {", RELABEL, whole, "; }")  # fmt: skip
    return None


def _unloadable(
    runtime: RuntimePlan, stage: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Why a backend that was compiled, perhaps elsewhere, would not be loaded here.

    llama-server opens its backends late and goes on without one that fails.
    """
    if runtime.source is None:
        return None
    ask = Ask(f"cd {shlex.quote(stage)} && ldd libggml-*.so 2>&1 | grep 'not found' | sort -u")
    yield ask
    if not ask.lines:
        return None
    return Refusal(
        f"the backends of {runtime.release} do not load on this host: {ask.lines[0].strip()}",
        "run again: it is compiled here then",
    )


def _asked_flags(
    runtime: RuntimePlan, stage: str
) -> Generator[PyinfraCommand, None, frozenset[str] | Refusal]:
    binary = QuoteString(f"{stage}/llama-server")
    cure = (
        "choose another runtime_build, or correct the model's fork"
        if runtime.source
        else "check runtime_asset_rows and the release it names, or choose another runtime_build"
    )
    version = Ask(f"cd / && runuser -u {SERVICE_USER} --", binary, "--version 2>&1")
    yield version
    build = build_of("\n".join(version.lines))
    if not version.succeeded or build != runtime.build:
        return Refusal(
            f"the binary of release {runtime.release} says build {build or 'unknown'}, needed"
            f" {runtime.build} (it said: {version.last_line or 'nothing'})",
            cure,
        )
    told = Ask(f"cd / && runuser -u {SERVICE_USER} --", binary, "--help 2>&1")
    yield told
    flags = flags_of("\n".join(told.lines))
    if not told.succeeded or not flags:
        return Refusal(
            f"the binary of release {runtime.release} does not print its flags"
            f" ({told.last_line or 'no output'})",
            "choose another runtime_build",
        )
    return flags

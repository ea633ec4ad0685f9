"""Packed releases on their way: from the host that has one to this machine, from here to others."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import logger
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.operation import (
    PACKED,
    Ask,
    Collect,
    Pack,
    Upload,
    dropped_if_damaged,
    hashing_timeout_s,
    keep_pack,
    pack_part,
    size_text,
)
from boxwright.plan.results import Refusal, RuntimePlan, SourceBuild
from roles.runtime.install import finished, new_stage, stage_of, unpacked

PACKING_TIMEOUT_S = 3600
SENDINGS = 2  # what did not arrive whole is sent once more


def given(
    runtime: RuntimePlan, source: SourceBuild, directory: str
) -> Generator[PyinfraCommand, None, bool]:
    """Pack what is installed and keep it on this machine; False, and told, where that failed."""
    why = yield from _given(runtime, source, directory)
    yield StringCommand("rm -f --", QuoteString(_packed(source)))
    if why is not None:
        host.log(f"{source.pack} is not kept for other hosts: {why}", logger.warning)
    return why is None


def _given(
    runtime: RuntimePlan, source: SourceBuild, directory: str
) -> Generator[PyinfraCommand, None, str | None]:
    packed = QuoteString(_packed(source))
    ask = Ask(
        "umask 022 && mkdir -p", PACKED, "&& tar --create --use-compress-program='gzip -1'",
        "--sort=name --owner=0 --group=0 --numeric-owner --exclude=boxwright.json --file", packed,
        "--directory", QuoteString(directory), QuoteString(runtime.release),
        "&& stat --format=%s", packed, "&& sha256sum <", packed,
        _timeout=PACKING_TIMEOUT_S,
    )  # fmt: skip
    yield ask
    if not ask.succeeded or len(ask.lines) != 2:
        return ask.said[-1].strip() if ask.said else "it could not be packed"
    size_bytes, sha256 = int(ask.lines[0]), ask.lines[1].split()[0]
    part = pack_part(source)
    if isinstance(part, Refusal):
        return part.sentence()
    host.log(f"{source.pack}: bringing {size_text(size_bytes)} here for other hosts")
    collect = Collect(_packed(source), part)
    yield collect
    if not collect.succeeded:
        return collect.said
    kept = keep_pack(source, sha256, size_bytes)
    return kept.sentence() if isinstance(kept, Refusal) else None


def taken(
    runtime: RuntimePlan, source: SourceBuild, pack: Pack, directory: str
) -> Generator[PyinfraCommand, None, Refusal | None]:
    """Install a pack of this machine; or why it could not be."""
    yield StringCommand("umask 022 && mkdir -p", PACKED)
    host.log(f"{source.pack}: sending {size_text(pack.size_bytes)}, nothing is compiled")
    for sending in range(1, SENDINGS + 1):
        wrong = yield from _sent(source, pack)
        if wrong is None:
            break
        if dropped_if_damaged(source, pack):
            return Refusal(
                f"pack {source.pack} is damaged on this machine and forgotten here: its sha256 is"
                f" not {pack.sha256} any more",
                "run again; if packs are damaged again, look at the disk of this machine",
            )
        if sending < SENDINGS:
            host.log(f"{source.pack} did not arrive whole ({wrong}): sending it again")
    else:
        return Refusal(
            f"pack {source.pack} did not arrive whole in {SENDINGS} sendings ({wrong}); the copy on"
            " this machine is right",
            "look at the connection to this host, and at its disk and RAM, then run again",
        )
    stage = stage_of(runtime, directory)
    yield from new_stage(stage)
    yield from unpacked((_packed(source),), stage)
    yield StringCommand("rm -f --", QuoteString(_packed(source)))
    return (yield from finished(runtime, directory, ()))


def _sent(source: SourceBuild, pack: Pack) -> Generator[PyinfraCommand, None, str | None]:
    """Have the pack on the host; or what is wrong with what arrived, of which nothing stays."""
    packed = QuoteString(_packed(source))
    upload = Upload(pack.path, _packed(source))
    yield upload
    found = ""
    if upload.succeeded:
        ask = Ask("sha256sum <", packed, _timeout=hashing_timeout_s(pack.size_bytes))
        yield ask
        found = ask.last_line.split(" ")[0]
    if found == pack.sha256:
        return None
    yield StringCommand("rm -f --", packed)
    return upload.said or f"sha256 {found or 'unknown'}, needed {pack.sha256}"


def _packed(source: SourceBuild) -> str:
    return f"{PACKED}/{source.pack}.tar.gz"

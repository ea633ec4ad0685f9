"""The compiled releases that this machine keeps, as roles see them: what fails is a refusal."""

from __future__ import annotations

from pathlib import Path

from boxwright import supply
from boxwright.operation.options import option
from boxwright.plan.results import Refusal, SourceBuild
from boxwright.supply import Pack


def _directory() -> Path:
    return supply.packs_directory(option("runtime_packs_directory"))


def kept_pack(source: SourceBuild) -> Pack | None:
    """The pack of this build on this machine, if there is one."""
    return supply.find_pack(_directory(), source.pack)


def pack_part(source: SourceBuild) -> Path | Refusal:
    """Where a pack is to grow here until it is whole."""
    found = supply.pack_part(_directory(), source.pack)
    return Refusal(found.reason, found.cure) if isinstance(found, supply.Failure) else found


def keep_pack(source: SourceBuild, sha256: str, size_bytes: int) -> Pack | Refusal:
    """Give a pack its name, once all of it has arrived with its sha256; or why it has none."""
    found = supply.keep_pack(_directory(), source.pack, sha256, size_bytes)
    return Refusal(found.reason, found.cure) if isinstance(found, supply.Failure) else found


def dropped_if_damaged(source: SourceBuild, pack: Pack) -> bool:
    """Whether a pack turns out to be damaged here; then it is forgotten. All of it is read."""
    damaged = not supply.is_whole(pack)
    if damaged:
        supply.drop_pack(_directory(), source.pack)
    return damaged

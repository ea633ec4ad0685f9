"""Which llama.cpp releases lie on a host, and which one is current."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter, field_validator
from pydantic.dataclasses import dataclass
from pyinfra.api import FactBase

from boxwright.facts.documents import as_json, read_stamp
from boxwright.facts.shell import script, tagged


@dataclass(frozen=True)
class ReleaseStamp:
    """`boxwright.json` of a release; `assets` are (name, sha256) in unpacking order.

    `flags` are those that its own `llama-server --help` lists; `cuda` is None for a CPU build.
    `pack` names what it was compiled of and for; None where upstream's files were taken.
    """

    release: str
    build: str
    cuda: str | None
    assets: tuple[tuple[str, str], ...]
    flags: frozenset[str]
    pack: str | None = None

    @field_validator("assets", mode="before")
    @classmethod
    def _pairs(cls, rows: Any) -> Any:
        if not isinstance(rows, list):
            return rows
        return [(r["name"], r["sha256"]) if isinstance(r, dict) and len(r) > 1 else r for r in rows]


@dataclass(frozen=True)
class ReleasesState:
    """`current` is the release that the link names; `leftovers` are unfinished directories."""

    current: str | None = None
    installed: tuple[ReleaseStamp, ...] = ()
    leftovers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        document: dict[str, Any] = as_json(self)
        return document


_STAMP = TypeAdapter(ReleaseStamp)


class Releases(FactBase[ReleasesState]):
    """The releases under `directory`; one whose stamp cannot be read is not installed."""

    @staticmethod
    def default() -> ReleasesState:
        """No release."""
        return ReleasesState()

    def command(self, directory: str = "/opt/llama.cpp") -> str:
        """List the directory."""
        return script("encode.sh", "stamps.sh", "releases.sh", directory=directory)

    def process(self, output: Sequence[str]) -> ReleasesState:
        """Read the lines that `releases.sh` wrote."""
        current, installed, leftovers = None, [], []
        for tag, fields in tagged(output):
            if tag == "current":
                current = fields[0]
            elif tag == "leftover":
                leftovers.append(fields[0])
            elif tag == "stamp" and len(fields) == 2:
                stamp = read_stamp(_STAMP, "boxwright.release/1", fields[1])
                if stamp and stamp.release == PurePosixPath(fields[0]).parent.name:
                    installed.append(stamp)
        return ReleasesState(current, tuple(installed), tuple(leftovers))

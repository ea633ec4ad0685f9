"""What llama-fit-params measured on a host, beside what was planned."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from pyinfra.api import FactBase

from boxwright.facts.documents import as_json
from boxwright.facts.records import asking, read_records

FIT_PATH = "/var/lib/boxwright/fit.jsonl"


@dataclass(frozen=True)
class FitRow:
    """One device, or `Host`: what it needs and the plan's figure for the sum, in MiB."""

    name: str
    model_mib: int
    context_mib: int
    compute_mib: int
    planned_mib: int


@dataclass(frozen=True)
class FitRecord:
    """One measurement; `digest` tells the build, arguments and files that it belongs to."""

    digest: str
    release: str
    model: str
    at_epoch_s: int
    devices: tuple[FitRow, ...]

    def to_json(self) -> object:
        """Plain JSON types."""
        return as_json(self)


_RECORD = TypeAdapter(FitRecord)


class FitRecords(FactBase[tuple[FitRecord, ...]]):
    """The records of /var/lib/boxwright/fit.jsonl, oldest first; damaged lines are left out."""

    @staticmethod
    def default() -> tuple[FitRecord, ...]:
        """None were measured."""
        return ()

    def command(self) -> str:
        """Read the file, if it is there."""
        return asking(FIT_PATH)

    def process(self, output: Sequence[str]) -> tuple[FitRecord, ...]:
        """Read the lines."""
        return read_records(_RECORD, output)

"""What `bench` measured on a host: the server's speeds, kept beside each other over the years."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from pyinfra.api import FactBase

from boxwright.facts.decode import is_speed
from boxwright.facts.documents import as_json
from boxwright.facts.records import asking, read_records

BENCH_PATH = "/var/lib/boxwright/bench.jsonl"


@dataclass(frozen=True)
class BenchPoint:
    """Prompts of one length, asked several times: the speeds of each, in the order they ran.

    `decode_tok_s` is after a prompt of that length, so it falls as prompts grow.
    """

    prompt_tokens: int
    prefill_tok_s: tuple[float, ...]
    decode_tok_s: tuple[float, ...]

    @property
    def prefill(self) -> tuple[float, float, float]:
        """Least, median and most, in tok/s."""
        return _spread(self.prefill_tok_s)

    @property
    def decode(self) -> tuple[float, float, float]:
        """Least, median and most, in tok/s."""
        return _spread(self.decode_tok_s)


@dataclass(frozen=True)
class BenchRecord:
    """One run of `bench`: points from the shortest prompt to the longest, and what it belongs to.

    `args_digest` is that of the server's arguments, `hardware` that of what decides its speed
    (boxwright.plan.hardware_digest); `driver` the NVIDIA driver that was loaded.
    """

    release: str
    model: str
    quant: str
    args_digest: str
    hardware: str
    driver: str | None
    boot_id: str
    at_epoch_s: int
    points: tuple[BenchPoint, ...]

    def to_json(self) -> object:
        """Plain JSON types."""
        return as_json(self)


_RECORD = TypeAdapter(BenchRecord)


class BenchRecords(FactBase[tuple[BenchRecord, ...]]):
    """The records of /var/lib/boxwright/bench.jsonl, oldest first; damaged lines are left out."""

    @staticmethod
    def default() -> tuple[BenchRecord, ...]:
        """None were measured."""
        return ()

    def command(self) -> str:
        """Read the file, if it is there."""
        return asking(BENCH_PATH)

    def process(self, output: Sequence[str]) -> tuple[BenchRecord, ...]:
        """Read the lines; a record without a speed says nothing."""
        return tuple(record for record in read_records(_RECORD, output) if _tells(record))


def _tells(record: BenchRecord) -> bool:
    speeds = [(*point.prefill_tok_s, *point.decode_tok_s) for point in record.points]
    there = all(point.prefill_tok_s and point.decode_tok_s for point in record.points)
    return bool(speeds) and there and all(is_speed(one) for point in speeds for one in point)


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return (min(values), median(values), max(values))

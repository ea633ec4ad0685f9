"""The completions that were measured on a host."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from pyinfra.api import FactBase

from boxwright.facts.documents import as_json
from boxwright.facts.records import asking, read_records

DECODE_PATH = "/var/lib/boxwright/decode.jsonl"


@dataclass(frozen=True)
class DecodeRecord:
    """One measured completion, and what it belongs to."""

    release: str
    model: str
    quant: str
    config_digest: str
    boot_id: str
    decode_tok_s: float
    prefill_tok_s: float
    predicted_n: int
    at_epoch_s: int
    args_digest: str = ""  # of the server's arguments; records of older versions have neither
    hardware: str = ""  # boxwright.plan.hardware_digest

    def to_json(self) -> object:
        """Plain JSON types."""
        return as_json(self)


_RECORD = TypeAdapter(DecodeRecord)


class DecodeRecords(FactBase[tuple[DecodeRecord, ...]]):
    """The records of /var/lib/boxwright/decode.jsonl, oldest first; damaged lines are left out."""

    @staticmethod
    def default() -> tuple[DecodeRecord, ...]:
        """None were measured."""
        return ()

    def command(self) -> str:
        """Read the file, if it is there."""
        return asking(DECODE_PATH)

    def process(self, output: Sequence[str]) -> tuple[DecodeRecord, ...]:
        """Read the lines; a speed that cannot be one says nothing."""
        return tuple(one for one in read_records(_RECORD, output) if is_speed(one.decode_tok_s))


def is_speed(tok_s: float) -> bool:
    """Whether this can be a speed at all: a server that measured nothing says 0."""
    return isfinite(tok_s) and tok_s > 0

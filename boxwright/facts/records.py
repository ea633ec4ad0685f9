"""Measurements that a host keeps as JSON lines; a damaged line is left out, for it is made anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from boxwright.facts.shell import decoded, script

T = TypeVar("T")


def asking(path: str) -> str:
    """The command that prints the records of a file, if it is there."""
    return script("encode.sh", "records.sh", path=path)


def read_records(kind: TypeAdapter[T], output: Sequence[str]) -> tuple[T, ...]:
    """The records in that command's answer, oldest first."""
    found = []
    for line in output:
        try:
            found.append(kind.validate_python(json.loads(decoded(line))))
        except (ValueError, ValidationError):
            continue
    return tuple(found)

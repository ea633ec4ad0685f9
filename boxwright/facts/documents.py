"""Reading the JSON that a host keeps: a damaged document is none, for it is written anew."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


def read_stamp(kind: TypeAdapter[T], schema: str, text: str) -> T | None:
    """The stamp in `text`, or None if it is cut short, of another schema or lacks a field."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("schema") != schema:
            return None
        return kind.validate_python(document)
    except (ValueError, ValidationError, RecursionError):
        return None


def as_json(state: Any) -> Any:
    """Plain JSON types of a frozen dataclass."""
    return TypeAdapter(type(state)).dump_python(state, mode="json")

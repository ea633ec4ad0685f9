"""Whether a server is answering somebody, by what it says of its slots or counts (pure)."""

from __future__ import annotations

import json
import re

WAITING = re.compile(r"^llamacpp:requests_(?:processing|deferred) (?P<count>[0-9.]+)", re.MULTILINE)


def busy_by_slots(answer: str) -> bool | None:
    """By the answer to /slots; None where it tells nothing (`--no-slots`)."""
    try:
        slots = json.loads(answer)
    except ValueError:
        return None
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots):
        return None
    return any(slot.get("is_processing") for slot in slots)


def busy_by_metrics(answer: str) -> bool | None:
    """By the answer to /metrics; None where it tells nothing."""
    counts = [float(found["count"]) for found in WAITING.finditer(answer)]
    return any(counts) if counts else None

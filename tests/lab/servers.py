"""Glue to tests/lab/world: builds the downloads, starts their servers, remembers their pids."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.lab.settings import CACHE_ROOT, Lab
from tests.lab.state import MARKER, Record, process, stop

try:
    from tests.lab import world as _world

    _world.start  # noqa: B018
except (ImportError, AttributeError):
    _world = None  # type: ignore[assignment]

GUEST_SYSTEMS = ("ubuntu-noble", "trixie", "bookworm")


def prepare() -> Any:
    return _world.prepare(CACHE_ROOT) if _world else None


def shaders(world: Any, root: Path) -> Path | None:
    return None


def start(lab: Lab, world: Any, record: Record) -> None:
    if not _world or (record.servers and all(one.alive for one in record.servers)):
        return
    stop(record.servers, graceful_s=3.0)
    os.environ[MARKER] = str(lab.state)
    try:
        record.servers = [process(pid) for pid in _world.start(lab, world)]
    finally:
        del os.environ[MARKER]
    record.save()


def sources(lab: Lab, world: Any) -> dict[str, dict[str, str]]:
    return {name: {} for name in GUEST_SYSTEMS}


def describe(lab: Lab, world: Any) -> dict[str, Any]:
    return {}

"""Glue to tests/lab/world: prepares the downloads, starts their servers, remembers their pids."""

from __future__ import annotations

import os

from tests.lab import world
from tests.lab.settings import Lab
from tests.lab.state import MARKER, Record, process, stop
from tests.lab.world import World

STOP_S = 3.0


def start(lab: Lab, prepared: World, record: Record) -> None:
    """Start the servers unless all of them run; a half-dead set is ended first."""
    if record.servers and all(one.alive for one in record.servers):
        return
    stop(record.servers, graceful_s=STOP_S)
    os.environ[MARKER] = str(lab.state)
    try:
        record.servers = [process(pid) for pid in world.start(lab, prepared)]
    finally:
        del os.environ[MARKER]
    record.save()

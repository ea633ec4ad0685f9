"""Room on the disks of a host, asked before the first byte is written."""

from __future__ import annotations

from pathlib import PurePosixPath

from boxwright.machine import Disk, Machine
from boxwright.plan.results import Refusal


def disk_of(machine: Machine, path: str) -> Disk | None:
    """The mounted file system that holds a path, or None where the report does not list it."""
    holders = [disk for disk in machine.disks if PurePosixPath(path).is_relative_to(disk.mount)]
    return max(holders, key=lambda disk: len(disk.mount), default=None)


def no_room(machine: Machine, path: str, need_mib: int, what: str, cure: str) -> Refusal | None:
    """The refusal, if the file system of `path` has less than `need_mib` free; else None."""
    disk = disk_of(machine, path)
    if disk is None or disk.free_mib >= need_mib:
        return None
    return Refusal(
        f"{what} needs {need_mib} MiB free on {disk.mount} ({path}), has {disk.free_mib} MiB", cure
    )

"""Room on the disks of a host, asked before the first byte is written."""

from __future__ import annotations

from pathlib import PurePosixPath

from pyinfra.context import host
from pyinfra.facts.files import Directory, File

from boxwright.machine import Disk, Machine
from boxwright.operation.packs import kept_pack
from boxwright.operation.planning import machine_of_host
from boxwright.plan.results import Refusal, RuntimePlan

BUILDS = "/var/cache/boxwright/build"  # one directory per release that is compiled


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


def room_for_build(runtime: RuntimePlan, directory: str) -> Refusal | None:
    """The refusal, if a release from source that is missing does not fit on this host's disks.

    `directory` is where releases lie. A build that has begun has its room already; where a pack of
    it is on this machine nothing is built.
    """
    source = runtime.source
    if source is None or host.get_fact(Directory, path=f"{BUILDS}/{runtime.release}/source"):
        return None
    needs = {directory: source.release_mib}
    if kept_pack(source) is not None:
        needs[directory] += source.release_mib  # packed and unpacked
    else:
        needs[BUILDS] = source.room_mib
        toolkit = source.toolkit
        if toolkit is not None and not host.get_fact(File, path=f"{toolkit.root}/bin/nvcc"):
            needs[toolkit.root] = toolkit.room_mib
    return _short(machine_of_host(), needs, f"release {runtime.release}, which is compiled here,")


def _short(machine: Machine, needs: dict[str, int], what: str) -> Refusal | None:
    """The refusal for the first file system that cannot hold all that is to lie on it."""
    by_mount: dict[str, list[str]] = {}
    for path in needs:
        disk = disk_of(machine, path)
        if disk is not None:
            by_mount.setdefault(disk.mount, []).append(path)
    cure = "free space there, or name assets that run here in runtime_asset_rows"
    found = (
        no_room(machine, paths[0], sum(needs[path] for path in paths), what, cure)
        for paths in by_mount.values()
    )
    return next((refusal for refusal in found if refusal is not None), None)

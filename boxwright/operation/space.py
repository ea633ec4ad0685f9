"""Room on the disks of a host, asked before the first byte is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from pyinfra.context import host
from pyinfra.facts.files import Directory, File

from boxwright.machine import Disk, Machine
from boxwright.operation.packs import kept_pack
from boxwright.operation.planning import release_assets
from boxwright.operation.sizes import MIB
from boxwright.plan.results import Refusal, RuntimePlan, SourceBuild

BUILDS = "/var/cache/boxwright/build"  # one directory per release that is compiled
PACKED = "/var/cache/boxwright/packs"  # what was compiled elsewhere, or for others, on its way
UNPACKED_PER_PACKED = 4  # upstream's CUDA asset: 0.2 GB packed, 0.7 GB unpacked


@dataclass(frozen=True)
class Need:
    """What takes how much room below a path, and how some is made."""

    what: str
    path: str
    mib: int
    cure: str


def disk_of(machine: Machine, path: str) -> Disk | None:
    """The mounted file system that holds a path, or None where the report does not list it."""
    holders = [disk for disk in machine.disks if PurePosixPath(path).is_relative_to(disk.mount)]
    return max(holders, key=lambda disk: len(disk.mount), default=None)


def no_room(machine: Machine, *needs: Need) -> Refusal | None:
    """The refusal for the first file system that cannot hold all its needs together; else None."""
    by_mount: dict[str, list[Need]] = {}
    for need in needs:
        disk = disk_of(machine, need.path)
        if disk is not None:
            by_mount.setdefault(disk.mount, []).append(need)
    free = {disk.mount: disk.free_mib for disk in machine.disks}
    return next(
        (
            _short(mount, free[mount], of_mount)
            for mount, of_mount in by_mount.items()
            if sum(need.mib for need in of_mount) > free[mount]
        ),
        None,
    )


def _short(mount: str, free_mib: int, needs: list[Need]) -> Refusal:
    total_mib = sum(need.mib for need in needs)
    named = dict.fromkeys(need.what for need in needs)
    cure = "; or ".join(dict.fromkeys(need.cure for need in needs))
    if len(named) == 1:
        where = f"{mount} ({needs[0].path})"
        return Refusal(
            f"{needs[0].what} needs {total_mib} MiB free on {where}, has {free_mib} MiB", cure
        )
    parts = [
        f"{what} ({sum(need.mib for need in needs if need.what == what)} MiB)" for what in named
    ]
    return Refusal(
        f"{', '.join(parts[:-1])} and {parts[-1]} need {total_mib} MiB free on {mount}, has"
        f" {free_mib} MiB",
        cure,
    )


def release_needs(runtime: RuntimePlan, directory: str) -> tuple[Need, ...] | Refusal:
    """The room that a missing release takes, below `directory` and where it is compiled."""
    if runtime.source is not None:
        return _build_needs(runtime, runtime.source, directory)
    assets = release_assets(runtime)
    if isinstance(assets, Refusal):
        return assets
    packed_bytes = sum(asset.size_bytes for asset in assets)
    return (
        Need(
            f"release {runtime.release}",
            directory,
            (1 + UNPACKED_PER_PACKED) * packed_bytes // MIB,
            "free space there, or name another runtime_directory",
        ),
    )


def _build_needs(runtime: RuntimePlan, source: SourceBuild, directory: str) -> tuple[Need, ...]:
    """A build that has begun has its room already; where a pack of it is here nothing is built."""
    if host.get_fact(Directory, path=f"{BUILDS}/{runtime.release}/source"):
        return ()
    sizes, pack = {directory: source.release_mib}, kept_pack(source)
    if pack is not None:
        sizes[PACKED] = -(-pack.size_bytes // MIB)
    else:
        sizes[BUILDS] = source.room_mib
        toolkit = source.toolkit
        if toolkit is not None and not host.get_fact(File, path=f"{toolkit.root}/bin/nvcc"):
            sizes[toolkit.root] = toolkit.room_mib
    what = f"release {runtime.release}, which is compiled here,"
    cure = "free space there, or name assets that run here in runtime_asset_rows"
    return tuple(Need(what, path, mib, cure) for path, mib in sizes.items())

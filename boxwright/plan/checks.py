"""Refusals that rest on the machine as a whole: system, disk, VRAM that others hold, room."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Disk, Machine
from boxwright.plan.cards import Cards
from boxwright.plan.context import CACHE_TYPES
from boxwright.plan.known import Known
from boxwright.plan.memory import os_reserve_mib
from boxwright.plan.placement import Placed
from boxwright.plan.results import DeviceMemory, HostMemory, MemoryPlan, ModelPlan, Refusal
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

MIB = 1024**2
LEAST_CONTEXT = 4096
ARCHES = ("x86_64",)
CAPABILITY = re.compile(r"\d+\.\d")


def system(machine: Machine, catalog: Catalog) -> Distribution | Refusal:
    """The distribution, if it is one that is supported, on a supported processor with systemd."""
    os = machine.os
    found = catalog.distribution(os.id, os.version_id)
    if found is None:
        known = ", ".join(sorted(f"{one.id} {one.version_id}" for one in catalog.distributions))
        return Refusal(
            f"the operating system is {os.id} {os.version_id}, needs one of {known}",
            "install one of these",
        )
    if os.arch not in ARCHES:
        return Refusal(
            f"the processor is {os.arch}, needs {' or '.join(ARCHES)}", "use another machine"
        )
    # None is a report that does not tell; preflight asks the host itself
    if os.init not in (None, "systemd"):
        return Refusal(
            f"process 1 is {os.init}, needs systemd",
            "boot the machine (or its container) with systemd as init",
        )
    return found


def sizes(wanted: Wanted) -> Refusal | None:
    """A refusal for numbers and types of the server that cannot be meant."""
    if wanted.server_cache_type not in CACHE_TYPES:
        return Refusal(
            f"server_cache_type is {wanted.server_cache_type!r}, needs one of"
            f" {', '.join(CACHE_TYPES)}",
            "correct server_cache_type",
        )
    if wanted.server_cache_ram_mib < 0:
        return Refusal(
            f"server_cache_ram_mib is {wanted.server_cache_ram_mib}, which llama-server takes for"
            " no limit; host RAM has one",
            "set server_cache_ram_mib to 0 (off) or to a number of MiB",
        )
    if wanted.server_moe_cache_mib is not None and wanted.server_moe_cache_mib < 1:
        return Refusal(
            f"server_moe_cache_mib is {wanted.server_moe_cache_mib}, needs 1 or more",
            "correct server_moe_cache_mib, or leave it unset for no cache",
        )
    for name, least, most in (
        ("server_port", 1, 65535),
        ("server_context", 0, 2**31 - 1),
        ("server_parallel", 1, 256),
        ("server_ubatch", 0, 2**20),
        ("server_batch", 1, 2**20),
    ):
        value = getattr(wanted, name)
        if not least <= value <= most:
            return Refusal(f"{name} is {value}, needs {least} to {most}", f"correct {name}")
    return None


def build_loads(catalog: Catalog, wanted: Wanted) -> Refusal | None:
    """A refusal where the build is older than the first one that loads the model."""
    build = wanted.runtime_build or catalog.llama.pinned_build
    row = catalog.models.get(wanted.model)
    if row is None or row.first_build is None or not build[1:].isdigit():
        return None
    if int(build[1:]) >= row.first_build:
        return None
    return Refusal(
        f"runtime_build is {build}, {wanted.model} needs b{row.first_build} or newer",
        "choose a newer runtime_build, or leave it unset",
    )


def vram_known(cards: Cards) -> Refusal | None:
    """A refusal that names the first card whose VRAM neither driver, catalog nor user tells."""
    for card in cards.used:
        if card.vram_mib is None:
            return Refusal(
                f"the VRAM of {card.label}, id {card.gpu.id}, is not known before its driver runs",
                f'give it in MiB: gpu_vram_mib = {{"{card.gpu.pci}": 8192}}, if it has 8 GB',
            )
    return None


def capability_known(cards: Cards) -> Refusal | None:
    """A refusal that names the first card of which no build can be told to run on it."""
    for card in cards.used:
        said = card.capability
        if said is not None and CAPABILITY.fullmatch(said):
            continue
        found = "is not known before its driver runs" if said is None else f"is given as {said!r}"
        return Refusal(
            f"the compute capability of {card.label}, id {card.gpu.id}, {found}, and the build is"
            " chosen by it",
            f'give it as NVIDIA lists it: gpu_compute_cap = {{"{card.gpu.pci}": "12.0"}}',
        )
    return None


def vram_free(cards: Cards, memory: MemoryPlan) -> Refusal | None:
    """A refusal where other processes hold VRAM that the plan needs."""
    for card, device in zip(cards.used, memory.devices, strict=True):
        held = card.used_by_others_mib
        if held and held + device.need_mib > device.total_mib:
            return Refusal(
                f"other processes hold {held} MiB of the {device.total_mib} MiB VRAM of"
                f" {card.label}, the plan needs {device.need_mib} MiB of it",
                "end them (nvidia-smi lists them), or leave this card alone with ignore_gpus",
            )
    return None


def room(placed: Placed, shape: ModelShape, wanted: Wanted, quant: str) -> Refusal | None:
    """A refusal where the model does not fit: the number found, the number needed, what would."""
    memory, host = placed.memory, placed.memory.host
    short = [
        f"{device.need_mib} MiB of VRAM on {device.pci}, which has {device.total_mib}"
        for device in memory.devices
        if device.need_mib > device.total_mib
    ]
    if host.need_mib > host.total_mib:
        short.append(f"{host.need_mib} MiB of host RAM, has {host.total_mib}")
    if not short:
        return None
    return Refusal(
        f"{wanted.model} {quant} with {wanted.server_context} tokens of context needs"
        f" {' and '.join(short)}",
        _smaller(placed, shape, wanted),
    )


def _smaller(placed: Placed, shape: ModelShape, wanted: Wanted) -> str:
    """What would make it fit: memory of each kind that is short, or a smaller model or context."""
    host = placed.memory.host
    over_mib = max((d.need_mib - d.total_mib for d in placed.memory.devices), default=0)
    more, cures = [], []
    if host.need_mib > host.total_mib:
        more.append(f"add {_gib_of_ram(host)} GiB of RAM")
        most_gb = max(host.total_mib - host.need_mib + host.model_mib, 0) * MIB / 1e9
        cures.append(f"choose a quant with at most {int(most_gb)} GB of weights for the host")
    if over_mib > 0:
        more.append(f"use cards with {-(-over_mib // 1024)} GiB more VRAM each")
        if shape.experts and not placed.placement.cpu_moe:
            cures.append("let experts lie in host RAM (server_placement auto or cpu-moe)")
        cures.append("choose a smaller model_quant")
    if _context_is_enough(placed, wanted):
        cures.append("lower server_context")
    return ", or ".join([" and ".join(more), *cures])


def _context_is_enough(placed: Placed, wanted: Wanted) -> bool:
    """Whether every part that is short holds more context than it lacks, all but 4096 tokens."""
    if wanted.server_context <= LEAST_CONTEXT:
        return False
    share = 1 - LEAST_CONTEXT / wanted.server_context
    parts: list[DeviceMemory | HostMemory] = [*placed.memory.devices, placed.memory.host]
    return all(part.context_mib * share >= part.need_mib - part.total_mib for part in parts)


def _gib_of_ram(host: HostMemory) -> int:
    """GiB to add; the system's own reserve grows with the RAM."""
    base_mib, add_gib = host.need_mib - host.reserve_mib, 0
    while True:
        total_mib = host.total_mib + add_gib * 1024
        if base_mib + os_reserve_mib(total_mib) <= total_mib:
            return add_gib
        add_gib += 1


def disk(machine: Machine, wanted: Wanted, model: ModelPlan, known: Known) -> Refusal | None:
    """A refusal where what is missing of the model cannot be written: no room, or read-only."""
    if model.size_mib is None:
        return None
    need_mib = model.size_mib - known.bytes_on_host // MIB
    holder = _holder(machine, wanted.models_directory)
    if holder is None or need_mib <= 0:
        return None
    if holder.read_only:
        return Refusal(
            f"{wanted.models_directory} lies on {holder.mount}, which is mounted read-only, and"
            f" {need_mib} MiB of {model.name} {model.quant} are to be written there",
            "mount it for writing, or set models_directory to another disk",
        )
    if need_mib <= holder.free_mib:
        return None
    return Refusal(
        f"{model.name} {model.quant} needs {need_mib} MiB more on {holder.mount} (for"
        f" {wanted.models_directory}), {holder.free_mib} MiB are free",
        f"free {need_mib - holder.free_mib} MiB there, or set models_directory to a larger disk",
    )


def _holder(machine: Machine, path: str) -> Disk | None:
    wanted = PurePosixPath(path)
    holders = [disk for disk in machine.disks if wanted.is_relative_to(disk.mount)]
    return max(holders, key=lambda disk: len(disk.mount), default=None)

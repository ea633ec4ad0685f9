"""Refusals that rest on the machine as a whole: system, disk, VRAM that others hold."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Disk, Machine
from boxwright.plan.cards import Cards
from boxwright.plan.context import CACHE_TYPES
from boxwright.plan.cures import Curable, Cure, corrected
from boxwright.plan.known import Known
from boxwright.plan.results import MemoryPlan, ModelPlan, Refusal
from boxwright.plan.wanted import Wanted

MIB = 1024**2
ARCHES = ("x86_64",)
# of a card: llama.cpp reckons with single precision, and takes 0 for a card that gets nothing
LEAST_SHARE, MOST_SHARE = 1e-6, 1e6
MOST_NUMBER = 2**31 - 1  # that llama-server reads
MOST_OVERRIDES = 4096  # llama_max_tensor_buft_overrides() (src/llama.cpp); each layer takes one
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


def sizes(wanted: Wanted) -> Curable | None:
    """A refusal for numbers and types of the server that cannot be meant."""
    if wanted.server_cache_type not in CACHE_TYPES:
        return corrected(
            "server_cache_type",
            f"server_cache_type is {wanted.server_cache_type!r}, needs one of"
            f" {', '.join(CACHE_TYPES)}",
        )
    if wanted.server_cache_ram_mib < 0:
        return Curable(
            f"server_cache_ram_mib is {wanted.server_cache_ram_mib}, which llama-server takes for"
            " no limit; host RAM has one",
            "set server_cache_ram_mib to 0 (off) or to a number of MiB",
            (Cure("set server_cache_ram_mib to 0 (off)", {"server_cache_ram_mib": 0}),),
        )
    shares = wanted.server_tensor_split or ()
    odd = [share for share in shares if share != 0 and not LEAST_SHARE <= share <= MOST_SHARE]
    if odd:
        return corrected(
            "server_tensor_split",
            f"server_tensor_split holds {odd[0]!r}, needs shares of 0 or from {LEAST_SHARE:g} to"
            f" {MOST_SHARE:g}",
        )
    wrong = _out_of_range(wanted)
    if wrong is not None:
        return wrong
    if wanted.server_batch < wanted.server_ubatch and wanted.server_batch != Wanted.server_batch:
        batch, ubatch = wanted.server_batch, wanted.server_ubatch
        lowered = Cure(f"lower server_ubatch to {batch}", {"server_ubatch": batch})
        raised = Cure(f"raise server_batch to {ubatch}", {"server_batch": ubatch})
        return Curable(
            f"server_ubatch is {ubatch} while server_batch is {batch}:"
            " a physical batch is a part of the logical one",
            f"{lowered.said}, or {raised.said}",
            (lowered, raised),
        )
    return None


def _out_of_range(wanted: Wanted) -> Curable | None:
    for name, least, most in (
        ("server_port", 1, 65535),
        ("server_context", 0, MOST_NUMBER),
        ("server_parallel", 1, 256),
        ("server_ubatch", 0, 2**20),
        ("server_batch", 1, 2**20),
        ("server_cache_ram_mib", 0, MOST_NUMBER),
        ("server_moe_cache_mib", 1, MOST_NUMBER),
        ("server_n_cpu_moe", 0, MOST_OVERRIDES),
        ("server_context_checkpoints", 0, MOST_NUMBER),
    ):
        value = getattr(wanted, name)
        if value is not None and not least <= value <= most:
            return corrected(name, f"{name} is {value}, needs {least} to {most}")
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
                f'give it in MiB: gpu_vram_mib = {{"{card.gpu.pci}": 8192}}, if it has 8 GiB',
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


def vram_free(wanted: Wanted, cards: Cards, memory: MemoryPlan) -> Curable | None:
    """A refusal that names every card of which other processes hold VRAM that the plan needs."""
    short = [
        (card, device)
        for card, device in zip(cards.used, memory.devices, strict=True)
        if card.used_by_others_mib and card.used_by_others_mib + device.need_mib > device.total_mib
    ]
    if not short:
        return None
    held = " and ".join(
        f"{card.used_by_others_mib} MiB of the {device.total_mib} MiB VRAM of {card.label}, the"
        f" plan needs {device.need_mib} MiB of it"
        for card, device in short
    )
    gpus = [card.gpu for card, _ in short]
    free = {gpu.pci: {"vram_used_mib": gpu.vram_used_by_service_mib} for gpu in gpus}
    ended = Cure("end them (nvidia-smi lists them)", cards=free)
    these = "this card" if len(gpus) == 1 else "these cards"
    ignored = Cure(
        f"leave {these} alone with ignore_gpus",
        {"ignore_gpus": (*wanted.ignore_gpus, *(gpu.pci for gpu in gpus))},
    )
    return Curable(
        f"other processes hold {held}", f"{ended.said}, or {ignored.said}", (ended, ignored)
    )


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

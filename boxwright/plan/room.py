"""A refusal where a model has no room, and what would make it fit.

Every cure is planned before it is named: what a sentence tells to set is accepted once it is set.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

from boxwright.catalog import ModelRow
from boxwright.plan.estimate import estimated_shape
from boxwright.plan.less import OPTIONS, Short
from boxwright.plan.memory import os_reserve_mib
from boxwright.plan.placement import Placed
from boxwright.plan.results import DeviceMemory, HostMemory, Refusal
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted
from boxwright.shapes import ModelShape

MIB = 1024**2
GIB = 1024**3
GIB_MIB = 1024
SMALL_GIB = 10  # below it a whole number says little
TRIED = 3  # values of one option that are planned, until one fits
SAME_MODEL = 0.2  # of its weights; where only less has room, another model is meant


class Fits(Protocol):
    """Whether wishes with sizes as numbers have room, also for another shape than planned."""

    def __call__(self, wanted: Wanted, *, of: ModelShape) -> bool:
        """Whether any placement fits."""


def refusal(
    placed: Placed, shape: ModelShape, wanted: Wanted, row: ModelRow, quant: str, fits: Fits
) -> Refusal | None:
    """Where the model does not fit: the number found, the number needed, what would.

    `wanted` has its sizes as numbers; `fits` tells of other wishes and shapes on the same machine.
    """
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
    cures = [
        _more(placed),
        *_freed(shape, wanted, fits),
        *_less(Short(placed, shape, wanted), fits),
        _smaller(Short(placed, shape, wanted), row, quant, fits),
    ]
    return Refusal(
        f"{wanted.model} {quant} with {counted(wanted.server_context, 'token')} of context needs"
        f" {' and '.join(short)}",
        ", or ".join(cures),
    )


def _more(placed: Placed) -> str:
    """Memory of each kind that is short."""
    memory, more = placed.memory, []
    over_mib = max((d.need_mib - d.total_mib for d in memory.devices), default=0)
    if memory.host.need_mib > memory.host.total_mib:
        more.append(f"add {_gib_of_ram(memory.host)} GiB of RAM")
    if over_mib > 0:
        more.append(f"use cards with {-(-over_mib // 1024)} GiB more VRAM each")
    return " and ".join(more)


def _freed(shape: ModelShape, wanted: Wanted, fits: Fits) -> list[str]:
    """Where the layout is forced and another one fits."""
    wishes = {
        "set server_placement to auto": (
            wanted.server_placement in ("gpu", "cpu-moe"),
            replace(wanted, server_placement="auto"),
        ),
        "leave server_n_cpu_moe unset": (
            wanted.server_n_cpu_moe is not None,
            replace(wanted, server_n_cpu_moe=None),
        ),
        "leave server_tensor_split unset": (
            wanted.server_tensor_split is not None,
            replace(wanted, server_tensor_split=None),
        ),
    }
    return [cure for cure, (forced, wish) in wishes.items() if forced and fits(wish, of=shape)]


def _less(short: Short, fits: Fits) -> list[str]:
    """Options that free what is short; where none is enough, each beside no cache of prompts."""
    alone = _each(short, fits)
    if alone or short.host_over_mib <= 0 or not short.wanted.server_cache_ram_mib:
        return alone
    both = _each(short.without_cached_prompts(), fits)
    return [f"lower server_cache_ram_mib to 0 and {cure}" for cure in both]


def _each(short: Short, fits: Fits) -> list[str]:
    """One option after the other, with the most that fits."""
    cures = []
    for option, values in OPTIONS.items():
        for value in islice(values(short), TRIED):
            wishes: dict[str, Any] = {option: value}
            if fits(replace(short.wanted, **wishes), of=short.shape):
                cures.append(_told(option, value, getattr(short.wanted, option)))
                break
    return cures


def _told(option: str, value: int | str | None, now: Any) -> str:
    if value is None:
        return f"leave {option} unset"
    lower = not isinstance(value, str) and (now is None or value < now)
    return f"{'lower' if lower else 'set'} {option} to {value}"


def _smaller(short: Short, row: ModelRow, refused: str, fits: Fits) -> str:
    """The largest quant of the catalog that fits; without one, how much may lie in host RAM.

    Sizes are in GiB, as those of RAM and VRAM beside them are.
    """
    memory, host = short.placed.memory, short.placed.memory.host
    parts: list[DeviceMemory | HostMemory] = [*memory.devices, host]
    file_bytes = short.shape.file_bytes
    most = file_bytes - sum(part.need_mib - part.total_mib for part in parts) * MIB
    for quant, other in _quants_below(row, refused, min(file_bytes, most)):
        if fits(short.wanted, of=other):
            return f"set model_quant to {quant} ({_gib(other.file_bytes)} GiB, by estimate)"
    left_mib = host.model_mib - short.host_over_mib
    if memory.devices_fit and left_mib >= max(SAME_MODEL * host.model_mib, GIB_MIB):
        return f"choose a quant with at most {left_mib // GIB_MIB} GiB of weights for the host"
    return "choose a smaller model"


def _quants_below(row: ModelRow, refused: str, limit: float) -> list[tuple[str, ModelShape]]:
    """Quants that by estimate have fewer bytes than `limit` and the refused one, the largest first.

    Real tensors may be more than their estimate: judged by these alone, the refused quant would
    seem to be less than itself.
    """
    shapes = {quant: estimated_shape(row, files) for quant, files in row.quants.items()}
    own = shapes.pop(refused, None)
    limit = min(limit, own.file_bytes) if own else limit
    found = [(quant, one) for quant, one in shapes.items() if one and one.file_bytes < limit]
    return sorted(found, key=lambda each: each[1].file_bytes, reverse=True)


def _gib(size_bytes: int) -> str:
    """A file's size in GiB, as a sentence gives it."""
    size_gib = size_bytes / GIB
    return f"{size_gib:.0f}" if size_gib >= SMALL_GIB else f"{size_gib:.1f}"


def _gib_of_ram(host: HostMemory) -> int:
    """GiB to add; the system's own reserve grows with the RAM."""
    base_mib = host.need_mib - host.reserve_mib
    add_gib = max(-(-(base_mib - host.total_mib) // 1024), 0)
    while True:
        total_mib = host.total_mib + add_gib * 1024
        if base_mib + os_reserve_mib(total_mib) <= total_mib:
            return add_gib
        add_gib += 1

"""A model's placement on the cards and the memory of one machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from boxwright.machine import Machine
from boxwright.plan import memory, moe_cache, placement
from boxwright.plan.cards import Cards
from boxwright.plan.context import CACHE_TYPES, ContextSize, compressed_bytes, layer_bytes
from boxwright.plan.layout import Layout
from boxwright.plan.placement import Placed
from boxwright.plan.results import MemoryPlan, Refusal
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape


def place(machine: Machine, wanted: Wanted, shape: ModelShape, chosen: Cards) -> Placed | Refusal:
    """The placement for wishes with sizes as numbers; whether it fits is its own `fits`.

    Layouts are searched by quick figures, and the one that is found is measured exactly.
    """
    assert wanted.server_cache_type in CACHE_TYPES
    size = ContextSize(
        tokens=wanted.server_context,
        cache_type=wanted.server_cache_type,
        ubatch=wanted.server_ubatch,
        sequences=wanted.server_parallel,
    )

    def measure(layout: Layout, exact: bool = False) -> MemoryPlan:
        made = memory.compute(
            shape,
            layout,
            size,
            chosen.used,
            machine.memory.total_mib,
            wanted.server_cache_ram_mib,
            exact,
        )
        return moe_cache.added(made, layout, shape, wanted.server_moe_cache_mib)

    def state(layer: int) -> int:
        return layer_bytes(shape.layers[layer], size) + compressed_bytes(shape, layer, size)

    def search(measured: Callable[[Layout], MemoryPlan]) -> Placed | Refusal:
        return placement.decide(shape, wanted, len(chosen.used), measured, state)

    quick = search(measure)
    if isinstance(quick, Refusal):
        return quick
    placed = replace(quick, memory=measure(quick.layout, exact=True))
    if placed.fits or not quick.fits:
        return placed
    return search(lambda layout: measure(layout, exact=True))

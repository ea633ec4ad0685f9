"""VRAM for `--moe-cache-mib`: recently used experts of host layers (reference/llama-cpp.md 3.2).

llama.cpp splits it among the cards like the layers and counts it under context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from boxwright.plan.layout import Layout
from boxwright.plan.results import MemoryPlan
from boxwright.shapes import ModelShape


def added(memory: MemoryPlan, layout: Layout, shape: ModelShape, mib: int | None) -> MemoryPlan:
    """The memory with the cache; without experts in host RAM there is none."""
    if not mib or not layout.devices or not layout.has_host_experts(shape):
        return memory
    count = len(shape.layers)
    devices = tuple(
        replace(device, context_mib=device.context_mib + -(-mib * layers // count))
        for device, layers in zip(memory.devices, _own_layers(layout, shape), strict=True)
    )
    return replace(memory, devices=devices)


def largest_mib(free_mib: Sequence[int], layout: Layout, shape: ModelShape) -> int:
    """The largest cache whose parts find room in what each card has free; 0 without cards."""
    parts = zip(free_mib, _own_layers(layout, shape), strict=True)
    return min((free * len(shape.layers) // own for free, own in parts if own), default=0)


def _own_layers(layout: Layout, shape: ModelShape) -> list[int]:
    """How many layers lie on each card."""
    own = [0] * layout.devices
    for number in range(len(shape.layers)):
        device = layout.device_of(number, shape.spread_layers)
        if device >= 0:
            own[device] += 1
    return own

"""VRAM for `--moe-cache-mib`: recently used experts of host layers (reference/llama-cpp.md 3.2).

llama.cpp splits it among the cards like the layers and counts it under context.
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.plan.layout import Layout
from boxwright.plan.results import MemoryPlan
from boxwright.shapes import ModelShape


def added(memory: MemoryPlan, layout: Layout, shape: ModelShape, mib: int | None) -> MemoryPlan:
    """The memory with the cache; without experts in host RAM there is none."""
    if not mib or not layout.devices or not layout.has_host_experts(shape):
        return memory
    count = len(shape.layers)
    own = [0] * layout.devices
    for number in range(count):
        device = layout.device_of(number, shape.spread_layers)
        if device >= 0:
            own[device] += 1
    devices = tuple(
        replace(device, context_mib=device.context_mib + -(-mib * layers // count))
        for device, layers in zip(memory.devices, own, strict=True)
    )
    return replace(memory, devices=devices)

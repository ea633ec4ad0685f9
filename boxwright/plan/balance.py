"""Cuts a model's layers over unequal cards so that the fullest card is as empty as can be."""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.results import MemoryPlan

STEPS = 24
FULLEST = 1024.0  # cards that are this much too small (or tell no size) are beyond balancing
MIB = 1024**2


def layers_per_device(weights: Sequence[int], memory: MemoryPlan) -> tuple[float, ...]:
    """How many layers each device takes, in order; llama.cpp cuts shares of whole layers exactly.

    `weights` are the bytes of each layer that go to a device with it (the output is the last one);
    `memory` is that of any other cut, for what a device needs beside its layers.
    """
    room = [
        (device.total_mib, device.compute_mib + device.reserve.sum_mib) for device in memory.devices
    ]
    low, high = 0.0, 1.0
    while _cut(weights, room, high) is None:
        high *= 2
        if high > FULLEST:
            return (1.0,) * len(room)
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _cut(weights, room, middle) is None:
            low = middle
        else:
            high = middle
    found = _cut(weights, room, high)
    assert found is not None
    return tuple(float(count) for count in found)


def _cut(
    weights: Sequence[int], room: Sequence[tuple[int, int]], fullness: float
) -> list[int] | None:
    """Layers per device if none gets fuller than this; None if some layers are left over."""
    counts, layer = [], 0
    for total_mib, fixed_mib in room:
        left = (total_mib * fullness - fixed_mib) * MIB
        first = layer
        while layer < len(weights) and weights[layer] <= left:
            left -= weights[layer]
            layer += 1
        counts.append(layer - first)
    return counts if layer == len(weights) else None

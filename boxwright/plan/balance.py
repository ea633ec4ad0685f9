"""Cuts a model's layers over unequal cards so that the fullest card is as empty as can be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from boxwright.plan.results import MemoryPlan

STEPS = 24
FULLEST = 1024.0  # cards that are this much too small (or tell no size) are beyond balancing
FILLED = 0.98  # compute buffers are those of another cut
MIB = 1024**2


@dataclass(frozen=True)
class _Room:
    """A device's memory, what of it is taken beside layers, whether it takes all it holds, and
    what each layer weighs there."""

    total_mib: int
    fixed_mib: int
    filled: bool
    weights: Sequence[int]


def layers_per_device(
    weights: Sequence[int],
    memory: MemoryPlan,
    cards: Collection[int],
    filled: Collection[int] = (),
    part: float = FILLED,
    whole: Sequence[int] | None = None,
) -> tuple[float, ...]:
    """How many layers each device takes, in order; llama.cpp cuts shares of whole layers exactly.

    `cards` are the devices that take any, by number; those that are `filled` take all that they
    hold in that part of their memory, and what they leave is cut over the others. `weights` are the
    bytes of each layer that go to a device with it (the output is the last one), and `whole` to one
    that is filled; `memory` is that of any other cut, for what a device needs beside its layers.
    """
    room = [
        _Room(
            device.total_mib if number in cards else 0,
            device.compute_mib + device.reserve.sum_mib,
            number in filled,
            whole if whole is not None and number in filled else weights,
        )
        for number, device in enumerate(memory.devices)
    ]
    low, high = 0.0, 1.0
    while _cut(room, high, part) is None:
        high *= 2
        if high > FULLEST:
            return tuple(float(number in cards) for number in range(len(room)))
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _cut(room, middle, part) is None:
            low = middle
        else:
            high = middle
    found = _cut(room, high, part)
    assert found is not None
    return tuple(float(count) for count in found)


def _cut(room: Sequence[_Room], fullness: float, filled: float) -> list[int] | None:
    """Layers per device if none gets fuller than this; None if some layers are left over."""
    counts, layer = [], 0
    for device in room:
        part = filled if device.filled and fullness <= 1 else fullness
        left = (device.total_mib * part - device.fixed_mib) * MIB
        first = layer
        while layer < len(device.weights) and device.weights[layer] <= left:
            left -= device.weights[layer]
            layer += 1
        counts.append(layer - first)
    return counts if all(layer == len(device.weights) for device in room) else None

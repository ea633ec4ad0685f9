"""How many layers' experts go to the cards: as many as VRAM holds beside all that has to be there.

`--n-cpu-moe N` strips the experts of the first N layers, which on several cards empties the first
and fills the last (reference/llama-cpp.md 4.1); so several cards get their layers by name.
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.plan.layout import HOST, Layout, first_layers
from boxwright.plan.measure import Measure
from boxwright.plan.results import MemoryPlan, Placement
from boxwright.shapes import ModelShape

MIB = 1024**2


def filled(base: Layout, shape: ModelShape, measure: Measure) -> Layout:
    """The layout with experts moved from host RAM to each card, last layers first, as room allows.

    What `measure` says of the result fits wherever it fits for `base`.
    """
    layout = _first_guess(base, shape, measure(base))
    while True:
        if measure.devices_fit(layout):
            fuller = filter(measure.devices_fit, _with_one_more(layout, shape))
            more = next(fuller, None)
            if more is None:
                return layout
            layout = more
        else:
            less = _with_one_less(layout, base, shape, measure(layout))
            if less is None:
                return base
            layout = less


def host_expert_bytes(layout: Layout, shape: ModelShape) -> int:
    """Bytes of routed experts that stay in host RAM."""
    places = layout.experts_places(shape.spread_layers)
    return sum(
        layer.expert_bytes
        for layer, place in zip(shape.layers, places, strict=False)
        if place == HOST
    )


def words(layout: Layout, gpu_layers: str | int, shape: ModelShape) -> Placement:
    """The layout in llama-server's words: the shortest of them that says just this."""
    split = layout.split or None
    with_experts = {n for n, layer in enumerate(shape.layers) if layer.expert_bytes}
    on_host = layout.experts_on_host & with_experts
    places = layout.experts_places(shape.spread_layers)
    in_ram = sum(places[number] == HOST for number in with_experts)
    placed = Placement(
        gpu_layers,
        cpu_moe=False,
        tensor_split=split,
        host_expert_layers=in_ram,
        expert_layers=len(with_experts),
    )
    if not on_host:
        return placed
    if on_host == with_experts:
        return replace(placed, cpu_moe=True)
    last = max(on_host) + 1
    if on_host == with_experts & first_layers(last):
        return replace(placed, n_cpu_moe=last)
    names = "|".join(str(number) for number in sorted(on_host))
    pattern = rf"blk\.({names})\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU"
    return replace(placed, override_tensor=pattern)


def _own_layers(layout: Layout, shape: ModelShape, device: int) -> list[int]:
    """Layers of a device with experts in host RAM, the last one first."""
    places = layout.places(shape.spread_layers)
    return [
        number
        for number in sorted(layout.experts_on_host, reverse=True)
        if number < len(shape.layers)
        and shape.layers[number].expert_bytes
        and places[number] == device
    ]


def _first_guess(base: Layout, shape: ModelShape, memory: MemoryPlan) -> Layout:
    """By the room that the cards have left, as if compute buffers stayed as they are."""
    moved: set[int] = set()
    for number, device in enumerate(memory.devices):
        room = (device.total_mib - device.need_mib) * MIB
        for layer in _own_layers(base, shape, number):
            room -= shape.layers[layer].expert_bytes
            if room < 0:
                break
            moved.add(layer)
    return replace(base, experts_on_host=base.experts_on_host - moved)


def _with_one_more(layout: Layout, shape: ModelShape) -> list[Layout]:
    """Layouts that hold one more layer's experts on a card, one per card."""
    return [
        replace(layout, experts_on_host=layout.experts_on_host - {own[0]})
        for device in range(layout.devices)
        if (own := _own_layers(layout, shape, device))
    ]


def _with_one_less(
    layout: Layout, base: Layout, shape: ModelShape, memory: MemoryPlan
) -> Layout | None:
    """The layout without the experts that came last to a card that is too full; None if none can
    go."""
    count = shape.spread_layers
    for number, device in enumerate(memory.devices):
        if device.need_mib <= device.total_mib:
            continue
        moved = [
            layer
            for layer in base.experts_on_host - layout.experts_on_host
            if layout.device_of(layer, count) == number
        ]
        if moved:
            return replace(layout, experts_on_host=layout.experts_on_host | {min(moved)})
    return None

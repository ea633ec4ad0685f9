"""How layers may be divided among cards: equally, by room, or on the fastest cards alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from boxwright.plan import experts
from boxwright.plan.balance import layers_per_device
from boxwright.plan.layout import Layout
from boxwright.plan.measure import Measure
from boxwright.plan.results import MemoryPlan
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

MIB = 1024**2
ALIKE = 1.02  # cards that decode this much faster than others are worth a try on their own

Split = tuple[float, ...]
Rate = Callable[[Layout], float]


def splits(
    shape: ModelShape,
    wanted: Wanted,
    layout: Layout,
    measure: Measure,
    state: Sequence[int],
    rate: Rate,
) -> Iterator[Split]:
    """Shares of the devices to try: as wanted, else all that may be best.

    Equal ones for equal cards, some by what cards hold, and of cards that are not equally fast only
    the faster, or as much as those hold, for a slow card slows all layers that it takes.
    """
    if wanted.server_tensor_split is not None and layout.devices:
        yield tuple(float(share) for share in wanted.server_tensor_split)
        return
    if layout.devices < 2 or not layout.gpu_layers:
        yield ()
        return
    equal = (1.0,) * layout.devices
    memory = measure(replace(layout, split=equal))
    alike = len({device.total_mib for device in memory.devices}) == 1
    if alike:
        yield equal
    every = range(layout.devices)
    if not (alike and layout.experts_on_host):
        yield _balanced(shape, layout, memory, state, every)
    if layout.experts_on_host:
        share = _share_of_experts(layout, shape, memory)
        yield _balanced(shape, layout, memory, state, every, share)
    for fastest in _faster_cards(layout, rate):
        yield _balanced(shape, layout, memory, state, fastest)
        if not layout.experts_on_host:  # else all of them become full
            cut = _balanced(shape, layout, memory, state, every, filled=fastest)
            yield cut
            # where the output went to another card its buffers went too: that leaves other room
            moved = measure(replace(layout, split=cut))
            yield _balanced(shape, layout, moved, state, every, filled=fastest)


def _faster_cards(layout: Layout, rate: Rate) -> Iterator[frozenset[int]]:
    """The fastest card alone, the two fastest, and so on, as long as the others are slower."""
    alone = [
        rate(replace(layout, split=tuple(float(other == card) for other in range(layout.devices))))
        for card in range(layout.devices)
    ]
    order = sorted(range(layout.devices), key=lambda card: -alone[card])
    for count in range(1, layout.devices):
        slowest, next_one = alone[order[count - 1]], alone[order[count]]
        if slowest > ALIKE * next_one:
            yield frozenset(order[:count])


def _share_of_experts(layout: Layout, shape: ModelShape, memory: MemoryPlan) -> float:
    """How much of the experts in host RAM the cards could take together."""
    room_mib = sum(max(device.total_mib - device.need_mib, 0) for device in memory.devices)
    on_host = experts.host_expert_bytes(layout, shape)
    return min(room_mib * MIB / max(on_host, 1), 1.0)


def _balanced(
    shape: ModelShape,
    layout: Layout,
    memory: MemoryPlan,
    state: Sequence[int],
    cards: Collection[int],
    share: float = 0.0,
    filled: Collection[int] = (),
) -> Split:
    """Whole numbers of layers for each of these cards, by what a layer weighs and keeps there.

    Of experts in host RAM each layer is given that share, so that all cards become full together.
    """
    count = shape.spread_layers
    weights = [
        layer.dense_bytes
        + layer.shared_expert_bytes
        + int(layer.expert_bytes * (share if number in layout.experts_on_host else 1.0))
        + state[number]
        for number, layer in enumerate(shape.layers)
    ]
    weights += [0] * (count - len(weights))  # layers that only draft are not loaded
    weights.append((shape.output_bytes or shape.embedding_bytes) + shape.other_bytes)
    return layers_per_device(weights[count + 1 - layout.gpu_layers :], memory, cards, filled)

"""How layers may be divided among cards: equally, by room, or on the fastest cards alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from boxwright.plan import experts
from boxwright.plan.balance import FILLED, layers_per_device
from boxwright.plan.layout import Layout
from boxwright.plan.measure import Measure
from boxwright.plan.results import MemoryPlan
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

MIB = 1024**2
PARTS = (FILLED, FILLED, 0.95, 0.9, 0.8)  # of the fastest cards, one after the other
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
    every, weighed = range(layout.devices), _Weighed(shape, layout, state)
    # of experts whose place is forced no card takes any more
    free = wanted.server_placement == "auto" and wanted.server_n_cpu_moe is None
    fills = bool(layout.experts_on_host) and free
    if not (alike and fills):
        yield layers_per_device(weighed.layers(), memory, every)
    if fills:
        share = _share_of_experts(layout, shape, memory)
        yield layers_per_device(weighed.layers(share), memory, every)
    for fastest in _faster_cards(layout, rate):
        yield layers_per_device(weighed.layers(), memory, fastest)
        if fills:
            # all cards become full: the slow ones of experts, of which a token reads the least
            slow = [card for card in every if card not in fastest]
            whole = weighed.layers(1.0)
            yield layers_per_device(weighed.layers(), memory, every, slow, whole=whole)
        else:
            yield from _filled(weighed, memory, measure, fastest)


@dataclass(frozen=True)
class _Weighed:
    """The layers of a layout that lie on cards, by what they weigh and keep there."""

    shape: ModelShape
    layout: Layout
    state: Sequence[int]

    def layers(self, share: float = 0.0) -> list[int]:
        """Bytes of each, last those of the output; with that share of experts in host RAM."""
        shape, on_host = self.shape, self.layout.experts_on_host
        found = [
            layer.dense_bytes
            + layer.shared_expert_bytes
            + int(layer.expert_bytes * (share if number in on_host else 1.0))
            + self.state[number]
            for number, layer in enumerate(shape.layers)
        ]
        found += [0] * (shape.spread_layers - len(found))  # layers that only draft are not loaded
        found.append((shape.output_bytes or shape.embedding_bytes) + shape.other_bytes)
        return found[shape.spread_layers + 1 - self.layout.gpu_layers :]


def _filled(
    weighed: _Weighed, memory: MemoryPlan, measure: Measure, fastest: Collection[int]
) -> Iterator[Split]:
    """As much on the fastest cards as they hold, less and less until it fits."""
    layout, every = weighed.layout, range(weighed.layout.devices)
    for part in PARTS:
        cut = layers_per_device(weighed.layers(), memory, every, fastest, part)
        yield cut
        if measure.devices_fit(replace(layout, split=cut)):
            return
        # where the output went to another card its buffers went too: that leaves other room
        memory = measure(replace(layout, split=cut))


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

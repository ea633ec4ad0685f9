"""One layout through all sections: places, then copies and last readers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from boxwright.plan.graph.sections import HOST_HOME, LOOKS, NOTHING, Ref, Section, Source
from boxwright.plan.graph.split import Around, Places

# A tensor: the number of its section, and its own there; a copy: of which source, in which place.
Key = tuple[int, int]
CopyKey = tuple[int, int, int]


class Where(NamedTuple):
    """A layout as backends by number, the host last: device, experts and cache of each layer."""

    layers: tuple[tuple[int, int, int], ...]
    output: int
    host: int
    pipelined: bool


class Whole(NamedTuple):
    """All sections of a model: what each reads of others, and its homes as (layer, part)."""

    sections: Sequence[Section]
    externals: Sequence[Sequence[Key]]
    shared: Sequence[dict[Ref, Key]]
    homes: Sequence[Sequence[tuple[int, int]]]


class Copy(NamedTuple):
    """A copy of a source, and the tensor that it is read from (None: a weight or a cache).

    `here` are both as the section numbers them that reads and makes it; None if one before does.
    """

    key: CopyKey
    base: Key | None
    bytes: int
    here: tuple[int, int] | None


class Split(NamedTuple):
    """Where a split begins (the place as its section numbers it), and what is copied then."""

    section: int
    node: int
    place: int
    copies: list[Copy]


class Flow:
    """Goes from the first section to the last.

    `around`, `places` and `crossings` (the copies that it reads) are of each section, and so is
    `orders`: the backends that a section numbers from 0. `last` tells the last reader's section.
    """

    def __init__(self, whole: Whole, where: Where, placed: Callable[[int, Around], Places]) -> None:
        self.whole, self.where, self._placed = whole, where, placed
        self.around: list[Around] = []
        self.places: list[Places] = []
        self.orders: list[list[int]] = []
        self.crossings: list[list[CopyKey]] = []
        self.splits: list[list[Split]] = []
        self.copies: dict[CopyKey, Copy] = {}
        self.last: dict[Key | CopyKey, int] = {}
        self._place()
        self._copy()

    def _place(self) -> None:
        homes = [[self._home_place(*home) for home in some] for some in self.whole.homes]
        drawn = [
            [places[node.home] for node in section.nodes if node.home >= 0]
            for places, section in zip(homes, self.whole.sections, strict=True)
        ]
        after, following = NOTHING, []
        for places in reversed(drawn):
            following.append(after)
            after = places[0] if places else after
        before = NOTHING
        for number, (places, after) in enumerate(zip(drawn, reversed(following), strict=True)):
            externals = [self._place_of(*key) for key in self.whole.externals[number]]
            self._place_one(number, Around(
                tuple(homes[number]), tuple(externals), self.where.host, before, after
            ))  # fmt: skip
            before = places[-1] if places else before

    def _place_one(self, number: int, around: Around) -> None:
        """Backends are numbered in the order of their being named, so that devices are alike."""
        order = dict.fromkeys([*around.homes, *around.externals, *around[2:]])
        order.pop(NOTHING, None)
        local = {place: number for number, place in enumerate(order)}
        local[NOTHING] = NOTHING
        own = Around(
            tuple([local[place] for place in around.homes]),
            tuple([local[place] for place in around.externals]),
            *(local[place] for place in around[2:]),
        )
        self.orders.append(list(order))
        self.around.append(own)
        self.places.append(self._placed(number, own))

    def _home_place(self, layer: int, part: int) -> int:
        if part != NOTHING:
            return self.where.layers[layer][part]
        return self.where.host if layer == HOST_HOME else self.where.output

    def _place_of(self, section: int, tensor: int) -> int:
        """Where another section's tensor lies; its leaves are inputs."""
        if tensor < 0:
            return self.where.host
        return self.orders[section][self.places[section].nodes[-1 - tensor]]

    def _copy(self) -> None:
        split = Split(0, 0, NOTHING, [])
        for number, places in enumerate(self.places):
            order, last = self.orders[number], self.last
            keys = [
                (*self._source_key(number, source), order[local])
                for source, local in places.crossings
            ]
            self.crossings.append(keys)
            self.splits.append([])
            own, externals = len(places.nodes), self.whole.externals[number]
            for tensor in places.direct:
                last[externals[tensor - own]] = number
            for step in places.steps:
                there = self.orders[split.section][split.place] if split.place >= 0 else NOTHING
                if order[step.place] != there or (step.reads_weight and split.copies):
                    split = Split(number, step.node, step.place, [])
                    self.splits[number].append(split)
                for crossing in step.crossings:
                    key = keys[crossing]
                    if key not in last:
                        self.copies[key] = self._copied(number, crossing, key, split)
                    last[key] = number

    def _copied(self, number: int, crossing: int, key: CopyKey, split: Split) -> Copy:
        """A copy that is made where the split begins, which may be sections before."""
        source, base, here = self.places[number].crossings[crossing][0], None, None
        if split.section == number:
            section = self.whole.sections[number]
            here = source.tensor, len(section.nodes) + len(section.externals) + crossing
        if source.tensor != NOTHING:
            base = self._tensor_key(number, source.tensor)
            self.last[base] = max(self.last.get(base, 0), split.section)
        made = Copy(key, base, source.bytes, here)
        split.copies.append(made)
        return made

    def _tensor_key(self, number: int, tensor: int) -> Key:
        own = len(self.whole.sections[number].nodes)
        if tensor < own:
            return number, own - 1 - tensor
        return self.whole.externals[number][tensor - own]

    def _source_key(self, number: int, source: Source) -> Key:
        if source.plain and source.tensor != NOTHING:
            return self._tensor_key(number, source.tensor)
        if source.shared is not None:
            return self.whole.shared[number][source.shared]
        return number, LOOKS + source.number

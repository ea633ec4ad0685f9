"""The compute buffers of one model and batch, for any layout: its sections one after the other.

What a section asks of buffers depends on few things: where its own parts and its neighbours lie,
what is copied for it and what others still read. It is found out once for each of those that
differ, and so is what becomes of the buffers; layers that repeat then only look it up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from boxwright.plan.graph.allocate import Free, Pool, Ran, Range, run
from boxwright.plan.graph.program import Copied, Lifetimes, Program, program
from boxwright.plan.graph.sections import (
    HOST_HOME,
    LOOKS,
    NOTHING,
    Home,
    Ref,
    Section,
    Source,
)
from boxwright.plan.graph.split import Around, Places, placed

MAX_COPIES = 4  # GGML_SCHED_MAX_COPIES

Key = tuple[int, int]  # a tensor: the number of its section, and its own there
CopyKey = tuple[int, int, int]  # a copy: of which source, and in which place


class Where(NamedTuple):
    """A layout as backends by number, the host last: device, experts and cache of each layer."""

    layers: tuple[tuple[int, int, int], ...]
    output: int
    host: int
    pipelined: bool


class Buffers:
    """Call it with a layout."""

    def __init__(self, sections: Sequence[Section], stands: Sequence[int]) -> None:
        """`stands` tells for each section of the whole model which of those given stands for it."""
        known: dict[Section, int] = {}
        kinds = [known.setdefault(section, len(known)) for section in sections]
        self.kinds = [kinds[number] for number in stands]
        self.sections = [sections[number] for number in stands]
        self._last = {number: index for index, number in enumerate(stands)}
        self.externals = [
            [self.key(number, ref) for ref in section.externals]
            for number, section in enumerate(self.sections)
        ]
        self.homes = [
            [self._home(number, home) for home in section.homes]
            for number, section in enumerate(self.sections)
        ]
        self._placed: dict[tuple[int, Around], Places] = {}
        self._programs: dict[tuple[int, Around, Lifetimes], tuple[int, Program]] = {}
        self._ran: dict[tuple[int, tuple[Free, ...], tuple[Range, ...]], Ran] = {}

    def __call__(self, where: Where) -> tuple[int, ...]:
        """Bytes of each backend's compute buffer."""
        return _Flow(self, where).peaks()

    def key(self, number: int, ref: Ref) -> Key:
        """What a section of the whole model refers to."""
        section = number - ref.section if ref.back else self._last[ref.section]
        return section, ref.tensor

    def _home(self, number: int, home: Home) -> tuple[int, int]:
        """The layer and its part."""
        if home.part == NOTHING:
            return NOTHING, home.layer
        section = number - home.layer if home.back else self._last.get(home.layer + 1, home.layer + 1)
        return section - 1, home.part

    def placed(self, number: int, around: Around) -> Places:
        """The places of a section."""
        key = (self.kinds[number], around)
        if key not in self._placed:
            self._placed[key] = placed(self.sections[number], around)
        return self._placed[key]

    def program(
        self, number: int, around: Around, places: Places, lives: Lifetimes
    ) -> tuple[int, Program]:
        """The program of a section, and its own number."""
        key = (self.kinds[number], around, lives)
        if key not in self._programs:
            made = program(self.sections[number], places, lives)
            self._programs[key] = len(self._programs), made
        return self._programs[key]

    def ran(
        self, numbered: tuple[int, Program], free: tuple[Free, ...], loaded: tuple[Range, ...]
    ) -> Ran:
        """What a program leaves of these buffers."""
        key = (numbered[0], free, loaded)
        if key not in self._ran:
            self._ran[key] = run(numbered[1], free, loaded)
        return self._ran[key]


class _Copy(NamedTuple):
    key: CopyKey
    base: Key | None
    bytes: int


class _Flow:
    """One layout: places, then copies and last readers, then memory; each from the first section to
    the last."""

    def __init__(self, buffers: Buffers, where: Where) -> None:
        self._of, self._where = buffers, where
        self._orders: list[dict[int, int]] = []
        self._around: list[Around] = []
        self._places: list[Places] = []
        self._crossings: list[list[CopyKey]] = []
        self._copies: dict[CopyKey, _Copy] = {}
        self._made: list[list[tuple[int, int, list[_Copy]]]] = []
        self._read: dict[Key, int] = {}
        self._copy_read: dict[CopyKey, int] = {}
        self._lasting: list[list[int]] = []
        self._ranges: dict[Key | CopyKey, Range] = {}

    def peaks(self) -> tuple[int, ...]:
        """Bytes of each backend's buffer."""
        self._place()
        self._copy()
        self._note_lasting()
        pools = [Pool(Free()) for _ in range(self._where.host + 1)]
        self._take_leaves(pools)
        free, most = [pool.free for pool in pools], [pool.most for pool in pools]
        for number in range(len(self._places)):
            self._run(number, free, most)
        return tuple(most)

    def _place(self) -> None:
        homes = [[self._home_place(*home) for home in some] for some in self._of.homes]
        drawn = [
            [some[node.home] for node in section.nodes if node.home >= 0]
            for some, section in zip(homes, self._of.sections, strict=True)
        ]
        after = NOTHING
        following = []
        for some in reversed(drawn):
            following.append(after)
            after = some[0] if some else after
        before = NOTHING
        for number, (some, after) in enumerate(zip(drawn, reversed(following), strict=True)):
            externals = [self._place_of(*key) for key in self._of.externals[number]]
            order: dict[int, int] = {NOTHING: NOTHING}

            def local(place: int, order: dict[int, int] = order) -> int:
                return order.setdefault(place, len(order) - 1)

            around = Around(
                tuple([local(place) for place in homes[number]]),
                tuple([local(place) for place in externals]),
                local(self._where.host),
                local(before),
                local(after),
            )
            self._orders.append(order)
            self._around.append(around)
            self._places.append(self._of.placed(number, around))
            before = some[-1] if some else before

    def _home_place(self, layer: int, part: int) -> int:
        if layer != NOTHING:
            return self._where.layers[layer][part]
        return self._where.host if part == HOST_HOME else self._where.output

    def _place_of(self, section: int, tensor: int) -> int:
        if tensor < 0:
            return self._where.host
        return list(self._orders[section])[self._places[section].nodes[-1 - tensor] + 1]

    def _copy(self) -> None:
        place, filled, copies, section = NOTHING, False, [], 0
        for number, places in enumerate(self._places):
            order, own = list(self._orders[number]), len(places.nodes)
            externals = self._of.externals[number]
            keys = [
                (*self._source_key(number, source), order[local + 1])
                for source, local in places.crossings
            ]
            self._crossings.append(keys)
            self._made.append([])
            for tensor in places.direct:
                self._read[externals[tensor - own]] = number
            for step in places.steps:
                there = order[step.place + 1]
                if there != place or (step.reads_weight and copies):
                    place, copies, section = there, [], number
                    self._made[number].append((step.node, step.place, copies))
                for crossing in step.crossings:
                    key = keys[crossing]
                    self._copy_read[key] = number
                    if key in self._copies:
                        continue
                    source = places.crossings[crossing][0]
                    base = None
                    if source.tensor != NOTHING:
                        base = self._tensor_key(number, source.tensor)
                        self._read[base] = max(self._read.get(base, 0), section)
                    self._copies[key] = _Copy(key, base, source.bytes)
                    copies.append(self._copies[key])

    def _tensor_key(self, number: int, tensor: int) -> Key:
        own = len(self._of.sections[number].nodes)
        return (number, own - 1 - tensor) if tensor < own else self._of.externals[number][tensor - own]

    def _source_key(self, number: int, source: Source) -> Key:
        if source.plain and source.tensor != NOTHING:
            return self._tensor_key(number, source.tensor)
        if source.shared is not None:
            return self._of.key(number, source.shared)
        return number, LOOKS + source.number

    def _note_lasting(self) -> None:
        self._lasting = [
            [tensor for tensor, node in enumerate(section.nodes) if node.kept]
            for section in self._of.sections
        ]
        for (section, tensor), reader in self._read.items():
            if tensor >= 0 and reader > section:
                self._lasting[section].append(len(self._places[section].nodes) - 1 - tensor)

    def _take_leaves(self, pools: list[Pool]) -> None:
        host, pipelined = self._where.host, self._where.pipelined
        leaves = [
            (number, -1 - tensor, leaf)
            for number, section in enumerate(self._of.sections)
            for tensor, leaf in enumerate(section.leaves)
        ]
        def take(key: Key | CopyKey, place: int, size: int) -> None:
            self._ranges[key] = Range(place, pools[place].take(size), size)

        if pipelined:
            for number, tensor, leaf in leaves:
                for _ in range(MAX_COPIES if leaf.input else 0):
                    take((number, tensor), host, leaf.bytes)
            for copy in self._copies.values():
                for _ in range(MAX_COPIES):
                    take(copy.key, copy.key[2], copy.bytes)
        for number, tensor, leaf in leaves:
            if leaf.input and pipelined:
                continue
            place = host
            if not leaf.input:
                nodes = self._places[number].nodes
                place = list(self._orders[number])[nodes[leaf.reader] + 1]
            take((number, tensor), place, leaf.bytes)

    def _run(self, number: int, free: list[Free], most: list[int]) -> None:
        order, own = self._orders[number], len(self._places[number].nodes)
        tensors: list[Key | CopyKey] = [*self._of.externals[number], *self._crossings[number]]
        lives = self._lives(number, tensors)
        numbered = self._of.program(number, self._around[number], self._places[number], lives)
        loaded = []
        for slot in numbered[1].loads:
            there, offset, size = self._ranges[tensors[slot - own]]
            loaded.append(Range(order.setdefault(there, len(order) - 1), offset, size))
        places = list(order)[1:]
        ran = self._of.ran(numbered, tuple([free[place] for place in places]), tuple(loaded))
        for place, left, used in zip(places, ran.free, ran.most, strict=True):
            free[place], most[place] = left, max(most[place], used)
        for (tensor, _), (local, offset, size) in zip(numbered[1].stores, ran.stored, strict=True):
            key = (number, own - 1 - tensor) if tensor < own else tensors[tensor - own]
            self._ranges[key] = Range(places[local], offset, size)

    def _lives(self, number: int, tensors: list[Key | CopyKey]) -> Lifetimes:
        own, kept = len(self._places[number].nodes), self._where.pipelined
        lasting = set(self._lasting[number])
        read_here = {tensor - own for tensor in self._places[number].direct}
        copies = []
        for node, place, some in self._made[number]:
            for copy in some:
                if copy.key not in tensors:
                    tensors.append(copy.key)
                base = NOTHING
                if copy.base is not None:
                    if copy.base[0] == number and copy.base[1] >= 0:
                        base = own - 1 - copy.base[1]
                    else:
                        if copy.base not in tensors:
                            tensors.append(copy.base)
                        base = own + tensors.index(copy.base)
                        read_here.add(base - own)
                there = NOTHING if kept else place
                copies.append(
                    Copied(node, base, own + tensors.index(copy.key), there, copy.bytes)
                )
        for index, key in enumerate(tensors):
            if len(key) == 3:
                if kept or self._copy_read[key] > number:
                    lasting.add(own + index)
            elif index in read_here and (self._read[key] > number or self._is_kept(key)):
                lasting.add(own + index)
        return Lifetimes(own + len(tensors), tuple(copies), frozenset(lasting))

    def _is_kept(self, key: Key) -> bool:
        section, tensor = key
        of = self._of.sections[section]
        return self._where.pipelined and of.leaves[-1 - tensor].input if tensor < 0 else of.nodes[-1 - tensor].kept

"""The memory of one layout, section after section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from boxwright.plan.graph.allocate import Free, Pool, Ran, Range
from boxwright.plan.graph.flow import CopyKey, Flow, Key
from boxwright.plan.graph.program import Copied, Lifetimes, Program
from boxwright.plan.graph.sections import NOTHING
from boxwright.plan.graph.split import Around, Places

MAX_COPIES = 4  # GGML_SCHED_MAX_COPIES


class Known(Protocol):
    """What is found out of a section once for all that are equal to it."""

    def program(
        self, number: int, around: Around, places: Places, lives: Lifetimes
    ) -> tuple[int, Program]:
        """Its program, after that one's number."""

    def ran(
        self, numbered: tuple[int, Program], free: tuple[Free, ...], loaded: tuple[Range, ...]
    ) -> Ran:
        """What a program leaves."""


def peaks(flow: Flow, known: Known) -> tuple[int, ...]:
    """Bytes of each backend's buffer."""
    return _Peaks(flow, known).found()


class _Peaks:
    def __init__(self, flow: Flow, known: Known) -> None:
        self._flow, self._known = flow, known
        self._sections, self._kept = flow.whole.sections, flow.where.pipelined
        self._ranges: dict[Key | CopyKey, Range] = {}
        self._kept_keys = self._never_given_back()
        pools = [Pool(Free()) for _ in range(flow.where.host + 1)]
        self._take_leaves(pools)
        self._free, self._most = [one.free for one in pools], [one.most for one in pools]

    def found(self) -> tuple[int, ...]:
        """The peaks, after all sections."""
        for number, lasting in enumerate(self._lasting()):
            self._run(number, lasting)
        return tuple(self._most)

    def _never_given_back(self) -> set[Key | CopyKey]:
        found: set[Key | CopyKey] = set(self._flow.copies) if self._kept else set()
        for number, section in enumerate(self._sections):
            last = len(section.nodes) - 1
            found.update((number, last - n) for n, node in enumerate(section.nodes) if node.kept)
            if self._kept:
                leaves = enumerate(section.leaves)
                found.update((number, -1 - n) for n, leaf in leaves if leaf.input)
        return found

    def _take_leaves(self, pools: list[Pool]) -> None:
        """What is given out first; of batches under way each has inputs and copies of its own."""
        flow = self._flow

        def take(key: Key | CopyKey, place: int, size: int, times: int = 1) -> None:
            for _ in range(times):
                self._ranges[key] = place, pools[place].take(size), size

        later = []
        for number, section in enumerate(self._sections):
            for tensor, leaf in enumerate(section.leaves):
                key = (number, -1 - tensor)
                if leaf.input and self._kept:
                    take(key, flow.where.host, leaf.bytes, MAX_COPIES)
                else:
                    later.append((key, leaf))
        for copy in flow.copies.values() if self._kept else ():
            take(copy.key, copy.key[2], copy.bytes, MAX_COPIES)
        for key, leaf in later:
            place = flow.where.host
            if not leaf.input:
                place = flow.orders[key[0]][flow.places[key[0]].nodes[leaf.reader]]
            take(key, place, leaf.bytes)

    def _lasting(self) -> list[list[int]]:
        """Of each section the nodes that later ones read, or that are kept."""
        found: list[list[int]] = [[] for _ in self._sections]
        for key in self._kept_keys:
            if len(key) == 2 and key[1] >= 0:
                found[key[0]].append(len(self._sections[key[0]].nodes) - 1 - key[1])
        for key, reader in self._flow.last.items():
            if len(key) == 2 and key[1] >= 0 and reader > key[0]:
                found[key[0]].append(len(self._sections[key[0]].nodes) - 1 - key[1])
        return found

    def _run(self, number: int, lasting: Sequence[int]) -> None:
        flow, own = self._flow, len(self._sections[number].nodes)
        tensors: list[Key | CopyKey] = [*flow.whole.externals[number], *flow.crossings[number]]
        lives = self._lives(number, lasting, tensors)
        numbered = self._known.program(number, flow.around[number], flow.places[number], lives)
        order, loaded = list(flow.orders[number]), []
        for slot in numbered[1].loads:
            place, offset, size = self._ranges[tensors[slot - own]]
            if place not in order:
                order.append(place)
            loaded.append((order.index(place), offset, size))
        free = tuple([self._free[place] for place in order])
        ran = self._known.ran(numbered, free, tuple(loaded))
        for place, left, used in zip(order, ran.free, ran.most, strict=True):
            self._free[place] = left
            self._most[place] = max(self._most[place], used)
        for (tensor, _), (local, offset, size) in zip(numbered[1].stores, ran.stored, strict=True):
            key = (number, own - 1 - tensor) if tensor < own else tensors[tensor - own]
            self._ranges[key] = order[local], offset, size

    def _lives(
        self, number: int, lasting: Sequence[int], tensors: list[Key | CopyKey]
    ) -> Lifetimes:
        """What lives longer than its section; `tensors` are all but the nodes, and more are added
        where copies are made for sections that come later."""
        own, places = len(self._sections[number].nodes), self._flow.places[number]
        read = {tensor - own for tensor in places.direct}

        def numbered(key: Key | CopyKey) -> int:
            if key[0] == number and len(key) == 2 and key[1] >= 0:
                return own - 1 - key[1]
            if key not in tensors:
                tensors.append(key)
            return own + tensors.index(key)

        copies = []
        for split in self._flow.splits[number]:
            place = NOTHING if self._kept else split.place
            for copy in split.copies:
                if copy.here is not None:
                    base, copied = copy.here
                else:
                    base = NOTHING if copy.base is None else numbered(copy.base)
                    copied = numbered(copy.key)
                read.add(base - own)
                copies.append(Copied(split.node, base, copied, place, copy.bytes))
        last, kept = self._flow.last, self._kept_keys
        found = set(lasting)
        for index, key in enumerate(tensors):
            if (last.get(key, NOTHING) > number or key in kept) and (
                len(key) == 3 or index in read
            ):
                found.add(own + index)
        return Lifetimes(own + len(tensors), tuple(copies), frozenset(found))

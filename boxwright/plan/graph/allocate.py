"""Where a buffer's memory is given out and taken back, as ggml's allocator does.

Source: ggml/src/ggml-alloc.c, b11549: the best fitting hole, else the end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from boxwright.plan.graph.program import GIVE, Program

ENDLESS = 1 << 62


class Free(NamedTuple):
    """Free ranges of a buffer: offsets, sizes, and whether empty ones may be among them."""

    offsets: tuple[int, ...] = (0,)
    sizes: tuple[int, ...] = (ENDLESS,)
    odd: bool = False


Range = tuple[int, int, int]  # memory that was given out: in which buffer, offset, bytes


class Ran(NamedTuple):
    """What a program left: the buffers, how much of each was in use at most, what it stored."""

    free: tuple[Free, ...]
    most: tuple[int, ...]
    stored: tuple[Range, ...]


def run(program: Program, before: Sequence[Free], loaded: Sequence[Range]) -> Ran:
    """A program's memory; places are the numbers of the buffers."""
    pools = [Pool(free) for free in before]
    slots = dict(zip(program.loads, loaded, strict=True))
    for slot, place, size in program.instructions:
        if place == GIVE:
            given, offset, size = slots[slot]
            pools[given].give(offset, size)
        else:
            slots[slot] = place, pools[place].take(size), size
    return Ran(
        tuple([pool.free for pool in pools]),
        tuple([pool.most for pool in pools]),
        tuple([slots[slot] for _, slot in program.stores]),
    )


class Pool:
    """Free ranges of one buffer, by offset; the last one has no end."""

    def __init__(self, free: Free) -> None:
        self.offsets, self.sizes, self.odd = list(free.offsets), list(free.sizes), free.odd
        self.most = 0

    @property
    def free(self) -> Free:
        """What is free now."""
        return Free(tuple(self.offsets), tuple(self.sizes), self.odd)

    def take(self, size: int) -> int:
        """The offset of so many bytes: in the smallest hole that is large enough."""
        offsets, sizes = self.offsets, self.sizes
        best, best_size = 0, ENDLESS
        for index, free in enumerate(sizes):
            if size <= free <= best_size:
                best, best_size = index, free
        if self.odd and best == len(sizes) - 1:
            best = self._best_before_last(size)
            best_size = sizes[best]
        offset = offsets[best]
        if best_size == size:
            del offsets[best], sizes[best]
        else:
            offsets[best] += size
            sizes[best] -= size
        if offset + size > self.most:
            self.most = offset + size
        return offset

    def _best_before_last(self, size: int) -> int:
        """The range to take where the last one need not be the endless one: any other is first."""
        sizes = self.sizes
        fitting = [n for n in range(len(sizes) - 1) if sizes[n] >= size]
        return min(fitting, key=lambda n: (sizes[n], -n), default=len(sizes) - 1)

    def give(self, offset: int, size: int) -> None:
        """Take back what `take` gave, or a part of it."""
        offsets, sizes = self.offsets, self.sizes
        self.odd = self.odd or not size
        if self.odd:
            self._give_among_empty(offset, size)
            return
        index = bisect_right(offsets, offset)
        if index and offsets[index - 1] + sizes[index - 1] == offset:
            sizes[index - 1] += size
            if offset + size == offsets[index]:
                sizes[index - 1] += sizes[index]
                del offsets[index], sizes[index]
        elif offset + size == offsets[index]:
            offsets[index] = offset
            sizes[index] += size
        else:
            offsets.insert(index, offset)
            sizes.insert(index, size)

    def _give_among_empty(self, offset: int, size: int) -> None:
        """The same where empty ranges may lie inside of others, as empty tensors leave them.

        Those others may shrink past them, so that offsets are not in order any more.
        """
        offsets, sizes = self.offsets, self.sizes
        for index, start in enumerate(offsets):
            if start + sizes[index] == offset:
                sizes[index] += size
                self._join(index)
                return
            if offset + size == start:
                offsets[index] = offset
                sizes[index] += size
                if index:
                    self._join(index - 1)
                return
        places = (index for index, start in enumerate(offsets) if start >= offset)
        index = next(places, len(offsets))
        offsets.insert(index, offset)
        sizes.insert(index, size)

    def _join(self, index: int) -> None:
        """Make one of this range and the next where they touch."""
        offsets, sizes = self.offsets, self.sizes
        after = index + 1
        if after < len(offsets) and offsets[index] + sizes[index] == offsets[after]:
            sizes[index] += sizes[after]
            del offsets[after], sizes[after]

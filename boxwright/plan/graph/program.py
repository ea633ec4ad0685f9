"""What a section asks of buffers: memory that is taken and given back, in order.

Source: ggml/src/ggml-alloc.c, b11549: a node may take over its source's memory when nobody else
reads that; memory is given back after its last reader. Where it lies decides nothing of that.
"""

from __future__ import annotations

from typing import NamedTuple

from boxwright.plan.graph.sections import NOTHING, Section
from boxwright.plan.graph.split import Places

GIVE = -1


class Copied(NamedTuple):
    """A copy that is made before a node: `base` is the tensor whose memory is read, `tensor` what
    the copy is in this section, `place` where it is taken (NOTHING: it lies there already)."""

    node: int
    base: int
    tensor: int
    place: int
    bytes: int


class Lifetimes(NamedTuple):
    """`copies` are made in this section; `tensors` is how many there are, first its nodes.
    Those in `lasting` are read in later sections too, or kept for good."""

    tensors: int
    copies: tuple[Copied, ...]
    lasting: frozenset[int]


class Program(NamedTuple):
    """Instructions as (slot, place or GIVE, bytes). `loads` are slots that others have filled,
    `stores` what others will want of them, as (tensor, slot)."""

    instructions: tuple[tuple[int, int, int], ...]
    loads: tuple[int, ...]
    stores: tuple[tuple[int, int], ...]


def program(section: Section, places: Places, lives: Lifetimes) -> Program:
    """The instructions of one section."""
    return _Writer(section, places, lives).written()


class _Writer:
    def __init__(self, section: Section, places: Places, lives: Lifetimes) -> None:
        self._section, self._places, self._lives = section, places, lives
        count, nodes = lives.tensors, len(section.nodes)
        self._slots = list(range(count))
        self._owned = [number >= nodes for number in range(count)]
        self._views, self._children = [0] * count, [0] * count
        self._made: list[tuple[int, int, int]] = []
        for copied in lives.copies:
            if copied.place != NOTHING:
                self._owned[copied.tensor] = False
        self._count_readers()

    def _count_readers(self) -> None:
        children = self._children
        for tensor in self._lives.lasting:
            children[tensor] += 1
        for copied in self._lives.copies:
            if copied.base != NOTHING:
                children[copied.base] += 1
        for node, reads in zip(self._section.nodes, self._places.reads, strict=True):
            if node.root != NOTHING:
                self._views[node.root] += 1
            for read in reads:
                children[read.tensor] += 1

    def written(self) -> Program:
        """The whole program."""
        copies = list(reversed(self._lives.copies))
        for number, reads in enumerate(self._places.reads):
            while copies and copies[-1].node == number:
                copied = copies.pop()
                if copied.base != NOTHING:
                    self._read(copied.base)
                if copied.place != NOTHING:
                    self._take(copied.tensor, copied.place, copied.bytes)
            node = self._section.nodes[number]
            if not node.shows and not (node.takes_over and self._taken_over(number)):
                self._take(number, self._places.nodes[number], node.bytes)
            for read in reads:
                self._read(read.tensor)
        here = {copied.tensor for copied in self._lives.copies if copied.place != NOTHING}
        here.update(range(len(self._section.nodes)))
        stores = tuple((one, self._slots[one]) for one in sorted(self._lives.lasting & here))
        filled = {slot for slot, place, _ in self._made if place != GIVE}
        used = {slot for slot, _, _ in self._made} | {slot for _, slot in stores}
        return Program(tuple(self._made), tuple(sorted(used - filled)), stores)

    def _take(self, tensor: int, place: int, size: int) -> None:
        self._owned[tensor] = True
        self._made.append((self._slots[tensor], place, size))

    def _taken_over(self, number: int) -> bool:
        """Whether the node lies where a source did; views own nothing that could be taken."""
        look = self._section.nodes[number].look
        for tensor, plain, source in self._places.reads[number]:
            if not plain or not self._owned[tensor] or self._children[tensor] != 1:
                continue
            if self._views[tensor] or source.look != look:
                continue
            self._owned[tensor], self._owned[number] = False, True
            self._slots[number] = self._slots[tensor]
            return True
        return False

    def _read(self, tensor: int) -> None:
        """One reader less; after the last one memory is given back."""
        self._children[tensor] -= 1
        if self._children[tensor] or self._views[tensor]:
            return
        if tensor < len(self._section.nodes) and self._section.nodes[tensor].shows:
            tensor = self._section.nodes[tensor].root
            if tensor == NOTHING:
                return
            self._views[tensor] -= 1
            if self._views[tensor] or self._children[tensor]:
                return
        if self._owned[tensor]:
            self._owned[tensor] = False
            self._made.append((self._slots[tensor], GIVE, 0))

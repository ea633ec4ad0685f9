"""The compute buffers of one model and batch, for any layout.

What a section asks of buffers depends on few things: where its own parts and its neighbours lie,
what is copied for it and what others still read. It is found out once for each of those that
differ, and so is what becomes of the buffers; layers that repeat then only look it up.
"""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.graph.allocate import Free, Ran, Range, run
from boxwright.plan.graph.flow import Flow, Key, Where, Whole
from boxwright.plan.graph.peaks import peaks
from boxwright.plan.graph.program import Lifetimes, Program, program
from boxwright.plan.graph.sections import NOTHING, Home, Ref, Section
from boxwright.plan.graph.split import Around, Places, placed


class Buffers:
    """Call it with a layout."""

    def __init__(self, sections: Sequence[Section], stands: Sequence[int]) -> None:
        """`stands` tells for each section of the whole model which of those given stands for it."""
        known: dict[Section, int] = {}
        kinds = [known.setdefault(section, len(known)) for section in sections]
        self._kinds = [kinds[number] for number in stands]
        self._last = {stand: number for number, stand in enumerate(stands)}
        self._sections = [sections[stand] for stand in stands]
        self._whole = Whole(
            self._sections,
            [self._keys(n, one.externals) for n, one in enumerate(self._sections)],
            [self._shared(n, one) for n, one in enumerate(self._sections)],
            [self._homes(n, one.homes) for n, one in enumerate(self._sections)],
        )
        self._found: dict[Where, tuple[int, ...]] = {}
        self._placed: dict[tuple[int, Around], Places] = {}
        self._programs: dict[tuple[int, Around, Lifetimes], tuple[int, Program]] = {}
        self._ran: dict[tuple[int, tuple[Free, ...], tuple[Range, ...]], Ran] = {}

    def __call__(self, where: Where) -> tuple[int, ...]:
        """Bytes of each backend's compute buffer."""
        if where not in self._found:
            self._found[where] = peaks(Flow(self._whole, where, self.placed), self)
        return self._found[where]

    def placed(self, number: int, around: Around) -> Places:
        """The places of a section."""
        key = (self._kinds[number], around)
        if key not in self._placed:
            self._placed[key] = placed(self._sections[number], around)
        return self._placed[key]

    def program(
        self, number: int, around: Around, places: Places, lives: Lifetimes
    ) -> tuple[int, Program]:
        """The program of a section, after its own number."""
        key = (self._kinds[number], around, lives)
        if key not in self._programs:
            made = program(self._sections[number], places, lives)
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

    def _key(self, number: int, ref: Ref) -> Key:
        section = number - ref.section if ref.back else self._last[ref.section]
        return section, ref.tensor

    def _keys(self, number: int, refs: Sequence[Ref]) -> list[Key]:
        return [self._key(number, ref) for ref in refs]

    def _shared(self, number: int, section: Section) -> dict[Ref, Key]:
        """Views and weights that other sections have read before."""
        return {
            source.shared: self._key(number, source.shared)
            for node in section.nodes
            for source in node.sources
            if source.shared is not None and not (source.plain and source.tensor != NOTHING)
        }

    def _homes(self, number: int, homes: Sequence[Home]) -> list[tuple[int, int]]:
        """Each home's layer and the part of that."""
        found = []
        for home in homes:
            layer = home.layer
            if home.back:
                layer = number - home.layer - 1
            elif home.part != NOTHING:
                layer = self._last.get(home.layer + 1, home.layer + 1) - 1
            found.append((layer, home.part))
        return found

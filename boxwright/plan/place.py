"""A model's placement on the cards and the memory of one machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan import on_host, placement, speed
from boxwright.plan.bandwidth import unmeasured
from boxwright.plan.cards import Cards
from boxwright.plan.context import CACHE_TYPES, size_of, state_bytes
from boxwright.plan.layout import Layout
from boxwright.plan.measure import Measure
from boxwright.plan.placement import Placed
from boxwright.plan.results import Refusal, Speed
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape


def place(
    machine: Machine, catalog: Catalog, wanted: Wanted, shape: ModelShape, chosen: Cards
) -> Placed | Refusal:
    """The placement for wishes with sizes as numbers; whether it fits is its own `fits`."""
    return Places(machine, catalog, shape, chosen)(wanted)


@dataclass(frozen=True)
class Places:
    """Places one model on one machine, for wishes with sizes as numbers."""

    machine: Machine
    catalog: Catalog
    shape: ModelShape
    chosen: Cards

    def __call__(self, wanted: Wanted) -> Placed | Refusal:
        """The placement; whether it fits is its own `fits`."""
        asked = self._asked(wanted)
        best = placement.decide(
            self.shape, wanted, asked.devices, asked.measure, asked.state, asked.rate
        )
        if isinstance(best, Refusal):
            return best
        return on_host.instead(best, self.shape, wanted, asked.measure, asked.expect)

    def holds(self, wanted: Wanted, least_layers: int = 0) -> bool:
        """Whether there is one that fits with so many layers on cards."""
        asked = self._asked(wanted)
        return placement.holds(
            self.shape, wanted, asked.devices, asked.measure, asked.state, asked.rate, least_layers
        )

    def rate(self, wanted: Wanted, layout: Layout) -> float:
        """Decode to expect of a layout; 0 where nobody can tell."""
        return self._asked(wanted).rate(layout)

    def _asked(self, wanted: Wanted) -> _Asked:
        assert wanted.server_cache_type in CACHE_TYPES
        size, shape, cards = size_of(wanted), self.shape, self.chosen.used
        measure = Measure(shape, size, cards, self.machine.memory.total_mib, wanted)
        return _Asked(self, wanted, unmeasured(self.machine), measure, state_bytes(shape, size))


@dataclass(frozen=True)
class _Asked:
    """What a placement for certain wishes rests on."""

    of: Places
    wanted: Wanted
    steady: Machine
    measure: Measure
    state: Sequence[int]

    @property
    def devices(self) -> int:
        """How many cards get work."""
        return len(self.of.chosen.used)

    def expect(self, layout: Layout) -> Speed | None:
        """The speed of a layout."""
        of = self.of
        cards = of.chosen.used
        return speed.predict(self.steady, of.catalog, self.wanted, of.shape, layout, cards)

    def rate(self, layout: Layout) -> float:
        """Decode to expect of a layout; 0 where nobody can tell."""
        of = self.of
        cards = of.chosen.used
        asked = (self.steady, of.catalog, self.wanted, of.shape, layout, cards)
        return speed.decode_tok_s(*asked) or 0.0

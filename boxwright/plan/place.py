"""A model's placement on the cards and the memory of one machine."""

from __future__ import annotations

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
    assert wanted.server_cache_type in CACHE_TYPES
    size = size_of(wanted)
    measure = Measure(shape, size, chosen.used, machine.memory.total_mib, wanted)
    state, steady = state_bytes(shape, size), unmeasured(machine)

    def expect(layout: Layout) -> Speed | None:
        return speed.predict(steady, catalog, wanted, shape, layout, chosen.used)

    def rate(layout: Layout) -> float:
        expected = expect(layout)
        return expected.decode_tok_s[1] if expected else 0.0

    best = placement.decide(shape, wanted, len(chosen.used), measure, state, rate)
    if isinstance(best, Refusal):
        return best
    return on_host.instead(best, shape, wanted, measure, expect)

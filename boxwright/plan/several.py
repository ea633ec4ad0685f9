"""Refusals for several reasons at once: a cure that only leads to the next of them is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from boxwright.plan import alone, contradiction, sizes
from boxwright.plan.place import Places
from boxwright.plan.placement import Placed
from boxwright.plan.results import Refusal
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

OR = ", or "  # between cures of which each is enough


def both(first: Refusal | None, second: Refusal | None) -> Refusal | None:
    """One refusal for both, whose every cure cures both; the one that is there, or None."""
    if first is None or second is None:
        return first or second
    also = second.cure.split(OR)[0]
    cures = OR.join(f"{cure} and {also}" for cure in first.cure.split(OR))
    return Refusal(f"{first.reason}; also, {second.reason}", cures)


def contradicted(
    refusal: Refusal,
    shape: ModelShape,
    wanted: Wanted,
    places: Places,
    lacking: Callable[[Placed, Wanted], Refusal | None],
) -> Refusal:
    """A contradiction, with what would be refused once it is cured."""
    found = contradiction.without(shape, wanted, len(places.chosen.used))
    if found is None:
        return refusal
    freed, said = found
    # once they are cured the plan may leave cards without work, as it could not before
    cards = alone.decide(places.machine, places.catalog, freed, shape, places.chosen)
    sized, placed = sizes.decide(freed, shape, replace(places, chosen=cards))
    short = lacking(placed, sized) if isinstance(placed, Placed) else None
    cure = " and ".join(said)
    if short is None:
        return refusal if len(said) == 1 else Refusal(refusal.reason, cure)
    cures = OR.join(f"{cure} and {one}" for one in short.cure.split(OR))
    return Refusal(f"{refusal.reason}; also, {short.reason}", cures)

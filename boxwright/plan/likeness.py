"""What a card is taken for whose bandwidth the catalogue does not tell: one like its chip's others.

A chip has one width of memory bus at most, and cards with it differ in how much of it they use and
in the memory's clock. So the median of the chip's cards is a fair guess, and those that differ most
are its limits; of the catalogue's own cards, each left out, more than nine in ten lie inside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from statistics import median

from boxwright.catalog import NVIDIA, Card, Catalog, GpuKind

AROUND = (2 / 3, 1.5)  # times the median, that a limit is away from it at least


@dataclass(frozen=True)
class Likeness:
    """GB/s of a card, as (least, expected, most), and the chips these figures are of."""

    gb_s: tuple[float, float, float]
    like: str

    def taken_by(self, kind: GpuKind, limit: int = 1) -> GpuKind:
        """The card with the bandwidth that is expected of it, or with the least or the most."""
        card = kind.card or Card(id=kind.device, name=kind.name)
        return replace(kind, card=replace(card, bandwidth_gb_s=self.gb_s[limit]))


def of(kind: GpuKind, catalog: Catalog) -> Likeness | None:
    """From the catalogue's other cards with its chip, else with the next one of its generation.

    None where there are none.
    """
    if kind.rule.refusal is not None:
        return None
    others = [
        (other.chip.chip, card.bandwidth_gb_s)
        for card in catalog.cards.values()
        if card.bandwidth_gb_s is not None and card.id != kind.device
        if (other := catalog.gpu(f"{NVIDIA}:{card.id:04x}")).generation == kind.generation
        and other.chip.compute_cap == kind.chip.compute_cap
    ]
    if not others:
        return None
    nearest = min(_apart(chip, kind.chip.chip) for chip, _ in others)
    alike = {chip for chip, _ in others if _apart(chip, kind.chip.chip) == nearest}
    found = [gb_s for chip, gb_s in others if chip in alike]
    middle = median(found)
    limits = min(*found, AROUND[0] * middle), max(*found, AROUND[1] * middle)
    return Likeness((limits[0], middle, limits[1]), " or ".join(sorted(alike)))


def _apart(chip: str, other: str) -> int:
    """How far two chips of a generation are apart: the larger its number, the smaller a chip."""
    return abs(_number(chip) - _number(other))


def _number(chip: str) -> int:
    found = re.search(r"[0-9A-F]+$", chip)
    return int(found[0], 16) if found else 0

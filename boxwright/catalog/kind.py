"""What a PCI id tells of a graphics card."""

from __future__ import annotations

import re
from dataclasses import dataclass

from boxwright.catalog.types import Card, CardRule, ChipRange, ListedId

NVIDIA = "10de"
VENDORS = {NVIDIA: "NVIDIA", "1002": "AMD", "8086": "Intel"}


@dataclass(frozen=True)
class GpuKind:
    """What the PCI id tells of a card. `known_chip` is False for ids outside every known range.

    Such an id is taken for a chip of the next range (a newer chip of the same family mostly), and
    an id beyond all of them for one of the newest. `listed` is what pci.ids has, None for an id
    that it does not know: a card newer than the list, or none at all.
    """

    id: str
    device: int
    card: Card | None
    listed: ListedId | None
    chip: ChipRange
    known_chip: bool
    rule: CardRule

    @property
    def name(self) -> str:
        """The card's name; that of pci.ids, or the chip's, where the card is not known."""
        if self.card:
            return self.card.name
        if self.listed:
            return marketing_name(self.listed.name) or f"{self.listed.name} card {self.id}"
        return f"{self.chip.chip} card {self.id}"

    @property
    def generation(self) -> str:
        """Pascal, Blackwell, …"""
        return self.chip.generation

    @property
    def display(self) -> bool:
        """Whether it is a graphics card, and not the sound or USB function of one or a chipset."""
        return self.listed is None or self.listed.display


def marketing_name(listed: str) -> str | None:
    """The name in the brackets of pci.ids: `Quadro P5000` of `GP104GL [Quadro P5000]`."""
    found = re.search(r"\[(.+)\]", listed)
    return found[1] if found else None

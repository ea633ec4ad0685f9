"""The graphics cards of the lab: what their PCI function says, and which drivers take them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

NVIDIA = 0x10DE
FIRST_TURING_ID = 0x1E00
FIRST_BLACKWELL_ID = 0x2900
"""First device ids of a generation (reference/nvidia.md §1)."""


@dataclass(frozen=True)
class Card:
    """One model of card; `vram_mib` is what nvidia-smi's memory.total says of it."""

    device: int
    audio_device: int
    subsystem: tuple[int, int]
    smi_name: str
    vram_mib: int
    compute_cap: str
    link_gts: float
    bar1_mib: int

    @property
    def flavours(self) -> tuple[str, ...]:
        """Kernel module flavours that drive it."""
        if self.device < FIRST_TURING_ID:
            return ("proprietary",)
        return ("open",) if self.device >= FIRST_BLACKWELL_ID else ("open", "proprietary")

    @property
    def branches(self) -> tuple[int, int]:
        """First and last driver branch that takes it."""
        first = 570 if self.device >= FIRST_BLACKWELL_ID else 390
        return first, 580 if self.device < FIRST_TURING_ID else 999


@dataclass(frozen=True)
class FittedCard:
    """A card in a slot; `numa_node` is -1 on a board that does not tell."""

    pci: str
    card: Card
    numa_node: int = -1


QUADRO_P5000 = Card(
    device=0x1BB0,
    audio_device=0x10F0,
    subsystem=(NVIDIA, 0x11B2),
    smi_name="Quadro P5000",
    vram_mib=16384,
    compute_cap="6.1",
    link_gts=8.0,
    bar1_mib=256,
)
RTX_5090 = Card(
    device=0x2B85,
    audio_device=0x22E8,
    subsystem=(NVIDIA, 0x2057),
    smi_name="NVIDIA GeForce RTX 5090",
    vram_mib=32607,
    compute_cap="12.0",
    link_gts=32.0,
    bar1_mib=32768,
)
PRO_6000 = Card(
    device=0x2BB1,
    audio_device=0x22E8,
    subsystem=(NVIDIA, 0x204B),
    smi_name="NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
    vram_mib=97887,
    compute_cap="12.0",
    link_gts=32.0,
    bar1_mib=131072,
)


def facts_csv(cards: Iterable[FittedCard], used_directory: str) -> str:
    """What the stand-in nvidia-smi knows: `pci,name,vram_mib,compute_cap,used_mib_file` lines."""
    return "".join(
        f"{c.pci},{c.card.smi_name},{c.card.vram_mib},{c.card.compute_cap},"
        f"{used_directory}/{c.pci}\n"
        for c in cards
    )


def rules_csv(cards: Iterable[FittedCard]) -> str:
    """What the boot script needs: `pci,flavours,first_branch,last_branch` lines."""
    return "".join(
        f"{c.pci},{'+'.join(c.card.flavours)},{c.card.branches[0]},{c.card.branches[1]}\n"
        for c in cards
    )

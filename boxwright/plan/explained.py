"""What is told of one card: frozen results of `boxwright.plan.explain`."""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.results import Refusal


@dataclass(frozen=True)
class CardDriver:
    """What the card accepts: the newest long-term branch that serves it, and the module flavour.

    `flavour` is "proprietary", "open" or "either". `last_branch` is the last one that ever serves
    it, None where none is known to be; `end_of_life` (YYYY-MM) is that of `branch`, and
    `generations` are all that `branch` serves. All None or empty where no branch serves the card.
    """

    branch: str | None = None
    flavour: str | None = None
    last_branch: str | None = None
    end_of_life: str | None = None
    generations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Install:
    """What Boxwright puts on a fresh Ubuntu 24.04 with this card alone; None: nothing."""

    branch: str | None = None
    flavour: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class CudaRange:
    """The first and the last CUDA toolkit that compile for it ("8.0", "12.9").

    `last` is None where the newest toolkit still does; both are None where it is not known.
    """

    first: str | None = None
    last: str | None = None


@dataclass(frozen=True)
class Build:
    """The llama.cpp build it runs on that Ubuntu: CUDA line, and the code made for it."""

    build: str
    kind: str
    cuda: str | None
    architectures: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Explanation:
    """One card. What is not known is None; so is all of a card of another vendor.

    `bandwidth_gb_s` is the memory's, `tdp_w` the board's power, `bus` its slot and link. `refusal`
    says why no driver serves it. `notes` are worth knowing before buying, `warnings` say what of
    the rest is uncertain. `host` and `pci` tell where it sits, if a machine report named it.
    """

    id: str
    name: str | None = None
    chip: str | None = None
    generation: str | None = None
    compute_capability: str | None = None
    vram_mib: int | None = None
    bus: str | None = None
    bandwidth_gb_s: float | None = None
    tdp_w: int | None = None
    driver: CardDriver = CardDriver()
    install: Install = Install()
    cuda: CudaRange = CudaRange()
    build: Build | None = None
    refusal: Refusal | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    host: str | None = None
    pci: str | None = None

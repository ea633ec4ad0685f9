"""Which of a machine's cards count: those a driver is chosen for, and those that get work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from boxwright.catalog import VENDORS, Catalog, GpuKind
from boxwright.machine import Gpu, Machine
from boxwright.plan import likeness
from boxwright.plan.cures import Curable, Cure, option
from boxwright.plan.likeness import Likeness
from boxwright.plan.results import DriverPlan, Refusal
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import be, counted

MOST_VRAM_MIB = 1024**2  # ten times what any card has
PASSED_THROUGH = frozenset({"vfio-pci", "pci-stub", "xen-pciback"})


@dataclass(frozen=True)
class UsedCard:
    """One NVIDIA card. `vram_mib` and `capability` are None where neither driver nor catalog
    tells; `used_by_others_mib` is VRAM that processes other than our service hold. `like` is what
    its bandwidth is guessed from, where the catalog does not tell it."""

    gpu: Gpu
    kind: GpuKind
    vram_mib: int | None
    capability: str | None
    used_by_others_mib: int = 0
    like: Likeness | None = None

    @property
    def label(self) -> str:
        """How sentences call it."""
        return f"{self.gpu.pci} ({self.gpu.name or self.kind.name}, {self.kind.generation})"


@dataclass(frozen=True)
class Cards:
    """`driven` decide the driver; `used` of them get work. `idle` are those that the plan itself
    leaves without any: the build is made for them too, so that another model finds it there.

    All are in the order of their PCI addresses, as CUDA is told to count them. `visible` are those
    that CUDA may count: also ignored cards. Which of them it does is the driver's to say
    (`seen_by`).
    """

    driven: tuple[UsedCard, ...] = ()
    used: tuple[UsedCard, ...] = ()
    visible: tuple[UsedCard, ...] = ()
    warnings: tuple[str, ...] = ()
    idle: tuple[UsedCard, ...] = ()

    @property
    def built_for(self) -> tuple[UsedCard, ...]:
        """The used cards and the idle ones, as far as a build can be made for those."""
        idle = [card for card in self.idle if card.capability is not None]
        return tuple(card for card in self.driven if card in self.used or card in idle)


def select(machine: Machine, catalog: Catalog, wanted: Wanted) -> Cards | Refusal:
    """The cards that count; a refusal where `gpu_count` asks for more, or one is in MIG mode, or
    for numbers that cannot be meant."""
    wrong = _wrong_numbers(wanted)
    if wrong is not None:
        return wrong
    warnings = [_foreign(gpu) for gpu in machine.gpus if vendor_of(gpu) in ("AMD", "Intel")]
    nvidia = sorted(
        (gpu for gpu in machine.gpus if vendor_of(gpu) == "NVIDIA"), key=lambda gpu: gpu.pci
    )
    absent = sorted(set(wanted.ignore_gpus) - {gpu.pci for gpu in machine.gpus})
    if absent:
        warnings.append(f"ignore_gpus names {', '.join(absent)}, where this machine has no card.")
    passed = [gpu for gpu in nvidia if gpu.driver in PASSED_THROUGH]
    warnings += [
        f"{gpu.pci} ({gpu.id}) is bound to {gpu.driver} for a virtual machine: it is left alone."
        for gpu in passed
    ]
    alone = {gpu.pci for gpu in passed} | set(wanted.ignore_gpus)
    bound = tuple(_card(gpu, machine, catalog, wanted) for gpu in nvidia if gpu not in passed)
    driven = tuple(card for card in bound if card.gpu.pci not in alone)
    if driven and (wanted.server_placement == "cpu" or wanted.gpu_count == 0):
        warnings.append(f"{left_alone(driven)}, as placement on the CPU asks.")
        return Cards(warnings=tuple(warnings))
    warnings += [_unknown(card) for card in driven if card.kind.listed is None]
    cut = next((card for card in driven if card.gpu.mig), None)
    if cut is not None:
        return _in_instances(cut, wanted)
    if wanted.gpu_count is not None and wanted.gpu_count > len(driven):
        return Curable(
            f"gpu_count asks for {counted(wanted.gpu_count, 'NVIDIA card')}, this machine has"
            f" {len(driven)}"
            " that may be used",
            f"lower gpu_count to {len(driven)}, or leave it unset to use what is there",
            (
                option("gpu_count"),
                Cure(f"lower gpu_count to {len(driven)}", {"gpu_count": len(driven)}),
            ),
        )
    return Cards(driven, driven[: wanted.gpu_count], bound, tuple(warnings))


def _wrong_numbers(wanted: Wanted) -> Curable | None:
    if wanted.gpu_count is not None and wanted.gpu_count < 0:
        return Curable(
            f"gpu_count is {wanted.gpu_count}, needs 0 or more",
            "correct gpu_count, or leave it unset to use all cards that fit",
            (option("gpu_count"),),
        )
    for pci, vram_mib in wanted.gpu_vram_mib.items():
        if not 1 <= vram_mib <= MOST_VRAM_MIB:
            others = {one: mib for one, mib in wanted.gpu_vram_mib.items() if one != pci}
            return Curable(
                f"gpu_vram_mib is {vram_mib} for {pci}, needs 1 to {MOST_VRAM_MIB}",
                "correct it, or leave that card out of gpu_vram_mib",
                (Cure(f"leave {pci} out of gpu_vram_mib", {"gpu_vram_mib": others}),),
            )
    return None


def left_alone(cards: Sequence[UsedCard]) -> str:
    """How a sentence begins that tells why these get no work and no driver."""
    return f"{counted(len(cards), 'NVIDIA card')} {be(len(cards))} left alone"


def seen_by(cards: Cards, driver: DriverPlan | None) -> Cards:
    """The cards with those left out that this driver does not take, so that CUDA never counts them.

    Only ignored cards can be: a driver is chosen to take all others.
    """
    if driver is None:
        return cards
    branch = int(driver.branch)
    seen = tuple(
        card
        for card in cards.visible
        if driver.flavour in card.kind.rule.flavours
        and card.kind.rule.first_branch <= branch
        and (card.kind.rule.last_branch is None or branch <= card.kind.rule.last_branch)
    )
    return replace(cards, visible=seen)


def vendor_of(gpu: Gpu) -> str | None:
    """NVIDIA, AMD or Intel; None for others (the display chips of server boards)."""
    return VENDORS.get(gpu.id.lower().split(":")[0])


def _card(gpu: Gpu, machine: Machine, catalog: Catalog, wanted: Wanted) -> UsedCard:
    kind, like = catalog.gpu(gpu.id), None
    if kind.card is None or kind.card.bandwidth_gb_s is None:
        like = likeness.of(kind, catalog)
        kind = like.taken_by(kind) if like else kind
    told, given = gpu.vram_mib, wanted.gpu_vram_mib.get(gpu.pci)
    # a user may know a modified card better than the catalog, but never better than its driver
    vram_mib = given or (kind.card.vram_mib if kind.card else None)
    if told is not None:
        vram_mib = min(told, given) if given else told
    others = (gpu.vram_used_mib or 0) - (gpu.vram_used_by_service_mib or 0)
    if machine.llama.service == "active" and gpu.vram_used_by_service_mib is None:
        # nobody can tell whose it is while our own service runs: most of it is the service's
        others = 0
    return UsedCard(
        gpu=gpu,
        kind=kind,
        vram_mib=vram_mib,
        capability=_told_capability(gpu)
        or wanted.gpu_compute_cap.get(gpu.pci)
        or kind.chip.compute_cap,
        used_by_others_mib=max(others, 0),
        like=like,
    )


def _told_capability(gpu: Gpu) -> str | None:
    """What the driver says, if that is a capability at all: some print [N/A]."""
    told = gpu.compute_cap
    return told if told is not None and re.fullmatch(r"\d+\.\d", told) else None


def _foreign(gpu: Gpu) -> str:
    return f"{gpu.pci} is an {vendor_of(gpu)} card ({gpu.id}): it is left alone."


def _in_instances(card: UsedCard, wanted: Wanted) -> Curable:
    """CUDA takes one instance at most (NVIDIA, MIG User Guide), never the card's whole memory."""
    pci = card.gpu.pci
    off = Cure(
        f"switch it off (nvidia-smi -i {pci} -mig 0) and boot again", cards={pci: {"mig": False}}
    )
    ignored = Cure("name the card in ignore_gpus", {"ignore_gpus": (*wanted.ignore_gpus, pci)})
    return Curable(
        f"{card.label} is in MIG mode: programs see one instance of it at most, the plan needs the"
        " whole card",
        f"{off.said}, or {ignored.said}",
        (off, ignored),
    )


def _unknown(card: UsedCard) -> str:
    return (
        f"{card.gpu.pci} has an id that is not known yet ({card.gpu.id}):"
        f" it is taken for a {card.kind.generation} card."
    )

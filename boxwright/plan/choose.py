"""`model: auto`: the best model and quant of the catalog that fits.

Candidates are ranked by the catalog's `quality`, less what a quant of few bits loses, and the first
one wins that fits with the wanted context and decodes fast enough. Only what does not change from
run to run counts, in steps: all of RAM and VRAM, never what is free now, so that a host that is
done keeps its model. Estimated shapes rank and rule out; then the chosen one's real shape is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from boxwright.catalog import Catalog, ModelRow
from boxwright.machine import Machine
from boxwright.plan import alone, checks, sizes, speed
from boxwright.plan import cards as card_rules
from boxwright.plan.bandwidth import unmeasured
from boxwright.plan.cards import UsedCard
from boxwright.plan.estimate import estimated_shape
from boxwright.plan.known import Known, ModelChoice
from boxwright.plan.model import choose_model
from boxwright.plan.place import Places
from boxwright.plan.results import Refusal
from boxwright.plan.speed_decode import GIGA, host_speed
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted
from boxwright.shapes import ModelShape

AUTO = "auto"
GIB_MIB = 1024
MIB = 1024**2
# a driver reports up to 120 MiB less than a card's nominal size; both have to count as the same
VRAM_SLACK_MIB = 256
ECC_OFF = 16 / 15  # ECC of GDDR memory takes a sixteenth
# what a quant loses of its model's quality, by bits per weight at least
LOST_BY_BITS = ((5.0, 0), (4.2, 1), (3.7, 3), (3.2, 7), (2.7, 12), (0.0, 20))


@dataclass(frozen=True)
class Candidate:
    """One quant of a model, its rank (the higher the better) and its estimated shape."""

    name: str
    quant: str
    rank: tuple[int, float]
    shape: ModelShape

    @property
    def label(self) -> str:
        """How sentences call it."""
        return f"{self.name} {self.quant}"

    def wished(self, wanted: Wanted) -> Wanted:
        """The wishes with this model in place of "auto"."""
        return replace(wanted, model=self.name, model_quant=self.quant)


def settle(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    resolve: Callable[[ModelChoice], Known | None],
) -> Wanted | Refusal:
    """The wishes with a model's name and quant; those that name one already are left as they are.

    `resolve` gives the real shape of a choice, None where it cannot be had now: then the next
    candidate counts whose shape is there, and without one the best is named all the same.
    """
    if wanted.model != AUTO:
        return wanted
    refused = _not_to_be_judged(machine, catalog, wanted)
    if refused is not None:
        return refused
    unknown: Wanted | None = None
    for candidate in candidates(catalog, wanted):
        named = candidate.wished(wanted)
        # after one whose shape cannot be had only known shapes count: estimates are of no use
        if unknown is None and not suits(machine, catalog, named, candidate.shape):
            continue
        choice = choose_model(catalog, named)
        if isinstance(choice, Refusal):
            continue
        known = resolve(choice)
        if known is None or known.shape is None:
            unknown = unknown or named
        elif suits(machine, catalog, named, known.shape):
            return named
    return unknown or _none(machine, wanted)


def _not_to_be_judged(machine: Machine, catalog: Catalog, wanted: Wanted) -> Refusal | None:
    """What would refuse any model: cards, VRAM that nobody tells, sizes that cannot be meant."""
    chosen = card_rules.select(machine, catalog, wanted)
    if isinstance(chosen, Refusal):
        return chosen
    return checks.vram_known(chosen) or checks.sizes(wanted)


def candidates(catalog: Catalog, wanted: Wanted) -> list[Candidate]:
    """Every quant of the catalog that can be estimated and is of use, the best first."""
    found = [
        Candidate(name, quant, _rank(row, shape), shape)
        for name, row in catalog.models.items()
        if row.quality and _useful(catalog, wanted, name, row)
        for quant, files in row.quants.items()
        if wanted.model_quant in (None, quant)
        if (shape := estimated_shape(row, files)) is not None
    ]
    return sorted(found, key=lambda one: (one.rank, one.label), reverse=True)


def _useful(catalog: Catalog, wanted: Wanted, name: str, row: ModelRow) -> bool:
    """Whether upstream's build loads the model, and it was trained for the wanted context."""
    if row.fork or checks.build_loads(catalog, replace(wanted, model=name)) is not None:
        return False
    return not row.context_train or wanted.server_context <= row.context_train


def _rank(row: ModelRow, shape: ModelShape) -> tuple[int, float]:
    bits = 8 * shape.file_bytes / max(shape.parameters, 1)
    lost = next(points for least, points in LOST_BY_BITS if bits >= least)
    return row.quality - lost, bits


def suits(machine: Machine, catalog: Catalog, wanted: Wanted, shape: ModelShape) -> bool:
    """Whether a model fits with the wanted context, and decodes as fast as `auto` asks."""
    total_mib = machine.memory.total_mib // GIB_MIB * GIB_MIB
    memory = replace(unmeasured(machine).memory, total_mib=total_mib)
    steady = replace(machine, memory=memory)
    chosen = card_rules.select(steady, catalog, wanted)
    if isinstance(chosen, Refusal) or checks.vram_known(chosen) or checks.sizes(wanted):
        return False
    chosen = replace(chosen, used=tuple(_steady(card) for card in chosen.used))
    chosen = alone.decide(steady, catalog, wanted, shape, chosen)
    if _hopeless(steady, catalog, wanted, shape, chosen.used):
        return False
    wanted, placed = sizes.decide(wanted, shape, Places(steady, catalog, shape, chosen))
    if isinstance(placed, Refusal) or not placed.fits:
        return False
    expected = speed.decode_tok_s(steady, catalog, wanted, shape, placed.layout, chosen.used)
    return expected is None or expected >= wanted.model_min_decode_tok_s


def _hopeless(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    cards: tuple[UsedCard, ...],
) -> bool:
    """Whether no placement can do, seen from the weights alone: it saves trying many of them.

    What the cards do not hold lies in host RAM, and a token needs at least its share of it.
    """
    in_ram = shape.file_bytes - sum((card.vram_mib or 0) * MIB for card in cards)
    if in_ram > machine.memory.total_mib * MIB:
        return True
    needed = in_ram * (shape.experts_used / shape.experts if shape.experts else 1.0)
    host = host_speed(machine, catalog.speed)
    return needed / GIGA / host.gb_s > 1 / max(wanted.model_min_decode_tok_s, 1e-3)


def _steady(card: UsedCard) -> UsedCard:
    """A card's VRAM in whole GiB, the same before and after its driver tells it.

    The catalog lists cards that are delivered with ECC as their drivers tell them then. One whose
    owner has turned ECC off has a sixteenth more, of which nothing was known before the driver ran.
    """
    assert card.vram_mib is not None
    listed = card.kind.card.vram_mib if card.kind.card else None
    vram_mib = card.vram_mib
    if listed is not None and listed < vram_mib <= listed * ECC_OFF + VRAM_SLACK_MIB:
        vram_mib = listed
    whole = (vram_mib + VRAM_SLACK_MIB) // GIB_MIB * GIB_MIB - VRAM_SLACK_MIB
    return replace(card, vram_mib=max(whole, 0))


def _none(machine: Machine, wanted: Wanted) -> Refusal:
    return Refusal(
        f"no model of the catalog fits {machine.memory.total_mib} MiB of RAM and"
        f" {counted(len(machine.gpus), 'card')} with"
        f" {counted(wanted.server_context, 'token')} of context at"
        f" {wanted.model_min_decode_tok_s:g} tok/s or more",
        "lower server_context or model_min_decode_tok_s, or add a smaller model to models_catalog",
    )

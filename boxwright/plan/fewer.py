"""Which cards `server_placement: auto` leaves without work, because the others do better alone.

Every card that is used takes VRAM for CUDA's context and a reserve, and llama.cpp's buffers grow
with their number on all of them. So a small or slow card may cost more than it brings, and one that
has no room for what each card needs would keep a model from running that fits without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan import speed
from boxwright.plan.cards import Cards, UsedCard
from boxwright.plan.compare import speeds
from boxwright.plan.layout import Layout, all_layers, first_layers
from boxwright.plan.place import place
from boxwright.plan.placement import CLEARLY_FASTER, FASTER, Placed
from boxwright.plan.results import Speed
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import be
from boxwright.shapes import ModelShape

KEPT = 0.99  # of every speed: less of one for more of another is a person's choice

MIB = 1024**2
TRIED = 5  # sets of cards: with three kinds of cards all that are worth it

Used = tuple[UsedCard, ...]


@dataclass(frozen=True)
class _Tried:
    """Some of the cards, and the speed with them; None where nobody can tell."""

    cards: Used
    fits: bool
    speed: Speed | None


def decide(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    chosen: Cards,
    sizes_given: bool,
) -> Cards:
    """The cards with those taken from `used` that are better left out, and a sentence that says so.

    `wanted` has its sizes as numbers. A set of cards is only taken in place of a larger one where
    that has no room, or where nothing gets slower and something faster; and only for room where
    sizes were not `sizes_given`, since the plan then makes them as large as all cards allow.
    """
    kinds = {(card.kind.id, card.vram_mib, speed.bus_gb_s(card.gpu)) for card in chosen.used}
    equal = len(kinds) < 2
    if equal and not (sizes_given and _enough(chosen.used, shape)):
        return chosen

    def attempt(cards: Used) -> _Tried:
        found = place(machine, catalog, wanted, shape, replace(chosen, used=cards))
        if not (isinstance(found, Placed) and found.fits):
            return _Tried(cards, False, None)
        expected = speed.predict(machine, catalog, wanted, shape, found.layout, cards)
        return _Tried(cards, True, expected)

    every = best = attempt(chosen.used)
    if every.fits and not sizes_given:
        return chosen
    for cards in _enough(chosen.used, shape) if equal else fewer(chosen.used, catalog):
        if every.speed is not None:
            needed = KEPT * every.speed.decode_tok_s[1]
            if _at_best(machine, catalog, wanted, shape, cards) < needed:
                continue
        tried = attempt(cards)
        if _better(every, tried) and (best is every or _better(best, tried)):
            best = tried
    if best is every:
        return chosen
    idle = tuple(card for card in chosen.used if card not in best.cards)
    warnings = (*chosen.warnings, _said(idle, every, best))
    return replace(chosen, used=best.cards, idle=idle, warnings=warnings)


def fewer(cards: Used, catalog: Catalog) -> list[Used]:
    """Without the slowest cards, without the next of them too, and so on; the same by VRAM."""
    found: dict[Used, None] = {}

    def speed_of(card: UsedCard) -> float:
        return decode_gb_s(card, catalog)

    for worth in (speed_of, _vram):
        for least in sorted({worth(card) for card in cards})[:-1]:
            found[tuple(card for card in cards if worth(card) > least)] = None
    return list(found)[:TRIED]


def _enough(cards: Used, shape: ModelShape) -> list[Used]:
    """Of equal cards as many as may hold all of a model, or one more, where several are left.

    A single one costs decode too little to be missed for anything else.
    """
    least = -(-(shape.file_bytes - shape.skipped_bytes) // max(int(_vram(cards[0])) * MIB, 1))
    return [cards[:count] for count in (least, least + 1) if 0 < count < len(cards) - 1]


def _at_best(
    machine: Machine, catalog: Catalog, wanted: Wanted, shape: ModelShape, cards: Used
) -> float:
    """Decode that no layout on these cards exceeds: as if one of them had the memory of all, and
    nothing but weights lay there, or no layer at all. It saves placing a model on cards that
    cannot do."""
    if not shape.experts:
        return float("inf")
    experts = [layer.expert_bytes for layer in shape.layers]
    left = sum(card.vram_mib or 0 for card in cards) * MIB
    left -= shape.file_bytes - shape.skipped_bytes - shape.embedding_bytes - sum(experts)
    on_host = len(experts)
    while on_host and experts[on_host - 1] <= left:
        on_host -= 1
        left -= experts[on_host]
    layouts = (
        Layout(1, all_layers(shape), first_layers(on_host)),
        Layout(1, 0, first_layers(len(experts))),
    )
    alone = [
        speed.decode_tok_s(machine, catalog, wanted, shape, layout, (card,))
        for card in cards
        for layout in layouts
    ]
    return max(float("inf") if one is None else one for one in alone)


def _vram(card: UsedCard) -> float:
    return float(card.vram_mib or 0)


def decode_gb_s(card: UsedCard, catalog: Catalog) -> float:
    """What decode reads from a card; of one that nobody knows more than from any other."""
    known = card.kind.card
    row = catalog.speed.gpu_row(card.kind.generation, card.kind.chip.compute_cap)
    if known is None or known.bandwidth_gb_s is None or row is None:
        return float("inf")
    return known.bandwidth_gb_s * row.share


def _better(before: _Tried, after: _Tried) -> bool:
    if not (before.fits and after.fits):
        return after.fits
    if before.speed is None or after.speed is None:
        return False
    pairs = [
        (before.speed.decode_tok_s[1], after.speed.decode_tok_s[1], FASTER),
        (before.speed.prefill_tok_s[1], after.speed.prefill_tok_s[1], CLEARLY_FASTER),
    ]
    was, becomes = before.speed.decode_at_depth_tok_s, after.speed.decode_at_depth_tok_s
    pairs += [(was[depth], becomes[depth], FASTER) for depth in was.keys() & becomes.keys()]
    return all(new >= KEPT * old for old, new, _ in pairs) and any(
        new > needed * old for old, new, needed in pairs
    )


def _said(left: Used, before: _Tried, after: _Tried) -> str:
    """Why some cards get no work."""
    them = "it" if len(left) == 1 else "them"
    names = " and ".join(card.label for card in left)
    begin = f"{names} {be(len(left))} left without work: "
    if before.speed is None or after.speed is None:
        return f"{begin}with {them} this model would not fit, without {them} it does."
    return f"{begin}without {them} {speeds(before.speed, after.speed)}."

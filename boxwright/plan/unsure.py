"""Speeds on cards whose bandwidth is a guess: wider limits, and a sentence that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan import speed
from boxwright.plan.cards import UsedCard
from boxwright.plan.known import Known
from boxwright.plan.layout import Layout
from boxwright.plan.results import Speed
from boxwright.plan.wanted import Wanted

LEAST, MOST = 0, 2  # of a likeness' figures


def predict(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    known: Known,
    layout: Layout,
    cards: tuple[UsedCard, ...],
) -> tuple[Speed | None, tuple[str, ...]]:
    """The speed of a layout, and what has to be said of what it rests on."""
    shape, measured = known.shape, known.measured
    assert shape is not None

    def on(cards: tuple[UsedCard, ...]) -> Speed | None:
        return speed.predict(machine, catalog, wanted, shape, layout, cards, measured)

    expected = _widened(on, cards)
    if expected is None:
        return None, ("No speed is predicted: nothing is known of cards like these.",)
    all_measured = measured is not None and measured.prefill_tok_s is not None
    return expected, () if all_measured else tuple(_sentences(cards))


def _widened(
    on: Callable[[tuple[UsedCard, ...]], Speed | None], cards: tuple[UsedCard, ...]
) -> Speed | None:
    """Low with the least bandwidth that the cards may have, high with the most."""
    expected = on(cards)
    if expected is None or not any(card.like for card in cards):
        return expected
    slow, fast = on(_at(cards, LEAST)), on(_at(cards, MOST))
    assert slow is not None and fast is not None
    decode, prefill = expected.decode_tok_s, expected.prefill_tok_s
    return replace(
        expected,
        decode_tok_s=(slow.decode_tok_s[0], decode[1], fast.decode_tok_s[2]),
        prefill_tok_s=(slow.prefill_tok_s[0], prefill[1], fast.prefill_tok_s[2]),
    )


def _sentences(cards: tuple[UsedCard, ...]) -> Iterator[str]:
    """What is guessed of each card."""
    for card in cards:
        if card.like is not None:
            least, expected, most = card.like.gb_s
            yield (
                f"The memory bandwidth of {card.label} is not in the catalogue: speeds are"
                f" predicted with {expected:.0f} GB/s, their limits with {least:.0f} and"
                f" {most:.0f}, since other cards with a {card.like.like} have about as much."
            )


def _at(cards: tuple[UsedCard, ...], limit: int) -> tuple[UsedCard, ...]:
    return tuple(
        replace(card, kind=card.like.taken_by(card.kind, limit)) if card.like else card
        for card in cards
    )

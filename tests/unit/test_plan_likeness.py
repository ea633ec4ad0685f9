"""What a card of unknown bandwidth is taken for, against cards whose data sheets tell it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from boxwright import catalog
from boxwright.plan import likeness

CATALOG = catalog.load()
SERVED = [
    card
    for card in CATALOG.cards.values()
    if card.bandwidth_gb_s and CATALOG.gpu(f"10de:{card.id:04x}").rule.refusal is None
]


def guessed(device: int) -> likeness.Likeness | None:
    """As if the catalogue did not have this card."""
    cards = {number: card for number, card in CATALOG.cards.items() if number != device}
    without = replace(CATALOG, cards=cards)
    return likeness.of(without.gpu(f"10de:{device:04x}"), without)


def test_of_the_catalogue_s_cards_nine_in_ten_are_what_the_others_tell() -> None:
    found = [(card, guess) for card in SERVED if (guess := guessed(card.id)) is not None]
    assert len(found) >= 0.95 * len(SERVED)
    inside = [guess.gb_s[0] <= (card.bandwidth_gb_s or 0) <= guess.gb_s[2] for card, guess in found]
    assert sum(inside) / len(inside) >= 0.9
    close = [abs(guess.gb_s[1] / (card.bandwidth_gb_s or 1) - 1) <= 0.25 for card, guess in found]
    assert sum(close) / len(close) >= 0.7


@pytest.mark.parametrize(
    ("device", "like"),
    [
        (0x1BB5, "GP104"),  # a Quadro P5200, which no row of the catalogue has
        (0x1340, "GM107"),  # GM108 is in no card of the catalogue
        (0x11BA, None),  # Kepler: no driver, so no speed either
    ],
)
def test_a_card_is_taken_for_one_with_its_chip_else_with_the_next(
    device: int, like: str | None
) -> None:
    kind = CATALOG.gpu(f"10de:{device:04x}")
    found = likeness.of(kind, CATALOG)
    assert (found and found.like) == like


def test_one_card_alone_still_has_limits() -> None:
    """A2 and A16 are the only GA107, of 200 GB/s; RTX 3050 6GB and 3050 Ti Mobile: 168 and 192."""
    found = likeness.of(CATALOG.gpu("10de:25a0"), CATALOG)
    assert found is not None and found.like == "GA107"
    assert found.gb_s[0] < 168 < 192 < found.gb_s[2]

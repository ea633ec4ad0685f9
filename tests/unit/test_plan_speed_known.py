"""Speeds that are known better or worse: measured ones, and cards of unknown bandwidth."""

from __future__ import annotations

from dataclasses import replace

from boxwright import catalog, plan
from boxwright.plan import Known, Wanted
from boxwright.plan.known import Measured
from tests.unit.plans import UBUNTU, gpu, machine, planned, qwen35_122b, speed_of, tiny


def test_a_card_of_unknown_bandwidth_gives_wide_limits_and_a_sentence() -> None:
    """An id in the range of GP102: data sheets have P40 346 and TITAN Xp 547.6 GB/s."""
    cards = [gpu("0000:01:00.0", "10de:1b7f", vram_mib=16384)]
    made = planned(machine("ryzen", gpus=cards, os=UBUNTU))
    assert made.refusal is None and made.speed is not None
    (said,) = [warning for warning in made.warnings if "bandwidth" in warning]
    assert "0000:01:00.0" in said and "GP102" in said
    with_p40, with_titan_xp = (
        speed_of(machine("ryzen", gpus=[{**cards[0], "id": id}], os=UBUNTU), tiny())
        for id in ("10de:1b38", "10de:1b02")
    )
    for one in ("decode_tok_s", "prefill_tok_s"):
        low, expected, high = getattr(made.speed, one)
        assert getattr(with_p40, one)[1] <= expected <= getattr(with_titan_xp, one)[1]
        assert low <= getattr(with_p40, one)[0] and getattr(with_titan_xp, one)[2] <= high


def test_where_nothing_is_known_of_cards_like_one_no_speed_is_told() -> None:
    cards = [gpu("0000:01:00.0", "10de:1b7f", vram_mib=16384)]
    bare = replace(catalog.load(), cards={})
    made = plan.make(machine("ryzen", gpus=cards, os=UBUNTU), bare, Wanted(), Known(shape=tiny()))
    assert made.refusal is None and made.speed is None
    assert any("No speed" in warning for warning in made.warnings)


def test_a_measured_speed_needs_no_bandwidth() -> None:
    cards = [gpu("0000:01:00.0", "10de:1b7f", vram_mib=16384)]
    known = {"measured": Measured((50.0, 51.0, 52.0), (900.0, 1000.0, 1100.0))}
    measured = planned(machine("ryzen", gpus=cards, os=UBUNTU), known=known)
    assert measured.speed is not None and measured.speed.decode_tok_s == (50.0, 51.0, 52.0)
    assert measured.speed.prefill_tok_s == (900.0, 1000.0, 1100.0)
    assert not any("bandwidth" in warning for warning in measured.warnings)


def test_a_measured_decode_replaces_the_prediction() -> None:
    predicted = speed_of("xeon")
    known = {"measured": Measured((11.1, 11.4, 11.7))}
    made = planned("xeon", qwen35_122b(), known)
    assert made.speed is not None
    assert made.speed.decode_tok_s == (11.1, 11.4, 11.7)
    assert made.speed.bound_by == "measured"
    assert made.speed.prefill_tok_s == predicted.prefill_tok_s
    document = plan.as_json(made)["speed"]
    assert document["decode_tok_s"] == [11.1, 11.4, 11.7] and "4096" in document["ttft_s"]


def test_a_measured_prefill_gives_the_time_to_the_first_token_too() -> None:
    known = {"measured": Measured((11.1, 11.4, 11.7), (40.0, 41.0, 42.0))}
    made = planned("xeon", qwen35_122b(), known)
    assert made.speed is not None
    assert made.speed.prefill_tok_s == (40.0, 41.0, 42.0)
    assert made.speed.ttft_s[4096] >= 4096 / 41

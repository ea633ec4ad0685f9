"""The speed prediction: honest intervals that follow the hardware, and what binds them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.machine import Machine
from boxwright.plan.results import Speed
from tests.unit.plans import gpu, machine, minimax_m2, planned, qwen35_122b


def speed_of(on: Machine | str, shape: Any = None, **wishes: Any) -> Speed:
    made = planned(on, shape or qwen35_122b(), **wishes)
    assert made.speed is not None, made.warnings
    return made.speed


@pytest.mark.parametrize(
    ("name", "shape", "decode_tok_s"),
    [
        ("xeon", qwen35_122b(), 10),
        ("ryzen", qwen35_122b(), 22.8),
        ("pro6000", qwen35_122b(), 128),
    ],
)
def test_the_article_s_decode_speeds_are_of_the_predicted_order(
    name: str, shape: Any, decode_tok_s: float
) -> None:
    """article.txt, "The Performance Numbers"; within half and double until the planner's issue.

    The shape's dense part is Q8_0, larger than that of the article's file.
    """
    low, expected, high = speed_of(name, shape).decode_tok_s
    assert low < expected < high
    assert expected == pytest.approx(decode_tok_s, rel=0.6)
    assert low <= decode_tok_s * 1.05


def test_a_prompt_of_deepseek_s_size_takes_minutes_and_not_seconds_or_hours() -> None:
    """article.txt: 44.5k tokens in about 10 minutes on the Ryzen box."""
    _, expected, _ = speed_of("ryzen", minimax_m2()).prefill_tok_s
    assert 60 < 44500 / expected < 1800


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("xeon", "host memory bandwidth"),
        ("ryzen", "host memory bandwidth"),
        ("pro6000", "GPU memory bandwidth"),
    ],
)
def test_the_limit_is_named(name: str, bound: str) -> None:
    assert speed_of(name).bound_by == bound


def test_unknown_modules_widen_the_interval() -> None:
    known, unknown = speed_of("xeon"), speed_of(machine("xeon", memory={"dimms": []}))
    spread = [high / low for low, _, high in (known.decode_tok_s, unknown.decode_tok_s)]
    assert spread[1] > 1.2 * spread[0]


def test_a_card_of_unknown_bandwidth_gives_no_speed_and_a_sentence() -> None:
    cards = [gpu("0000:01:00.0", "10de:1b7f", vram_mib=16384)]
    made = planned(machine("ryzen", gpus=cards, os={"id": "ubuntu", "version_id": "24.04",
                                                    "kernel": "6.8.0-60-generic"}))  # fmt: skip
    assert made.refusal is None and made.speed is None
    assert any("bandwidth" in warning for warning in made.warnings)


def test_prefill_with_experts_in_ram_follows_the_physical_batch_and_the_link() -> None:
    """reference/llama-cpp.md 3.5: copied once per ubatch, so that is the prefill lever."""
    small, large = (speed_of("xeon", server_ubatch=ubatch) for ubatch in (512, 2048))
    assert large.prefill_tok_s[1] > 1.5 * small.prefill_tok_s[1]
    narrow = [gpu("0000:01:00.0", "10de:2b85", link_speed_gts=8.0, link_width=4)]
    assert (
        speed_of(machine("ryzen", gpus=narrow)).prefill_tok_s[1]
        < speed_of("ryzen").prefill_tok_s[1] / 3
    )


@settings(max_examples=30, deadline=None)
@given(speed_mts=st.integers(1600, 8000), faster=st.integers(1, 4000))
def test_faster_memory_is_never_slower(speed_mts: int, faster: int) -> None:
    def of(mts: int) -> tuple[float, float, float]:
        dimms = [{"size_mib": 49152, "speed_mts": mts}] * 4
        return speed_of(machine("ryzen", memory={"dimms": dimms})).decode_tok_s

    slow, fast = of(speed_mts), of(speed_mts + faster)
    assert all(one <= other for one, other in zip(slow, fast, strict=True))

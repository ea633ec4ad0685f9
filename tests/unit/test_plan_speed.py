"""The speed prediction: the article's figures, honest intervals, limits, what replaces it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import plan
from boxwright.machine import Machine
from boxwright.plan.known import Measured
from boxwright.plan.results import Speed
from tests.unit.plans import (
    deepseek_v4_flash,
    gpu,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
)

UBUNTU = {"id": "ubuntu", "version_id": "24.04", "kernel": "6.8.0-60-generic"}


def speed_of(on: Machine | str, shape: Any = None, **wishes: Any) -> Speed:
    made = planned(on, shape or qwen35_122b(), **wishes)
    assert made.speed is not None, made.warnings
    return made.speed


@pytest.mark.parametrize(
    ("name", "shape", "measured"),
    [
        ("xeon", qwen35_122b(), (10, 10)),
        ("ryzen", qwen35_122b(), (22.8, 22.8)),
        ("ryzen", deepseek_v4_flash(), (11, 12)),
    ],
    ids=["qwen-xeon", "qwen-ryzen", "deepseek-ryzen"],
)
def test_the_articles_decode_speeds(name: str, shape: Any, measured: tuple[float, float]) -> None:
    """article.txt, "The Performance Numbers" and "Important Caveats": with its `--cpu-moe`."""
    wishes = {"server_placement": "cpu-moe", "server_context": 32768}
    low, expected, high = speed_of(name, shape, **wishes).decode_tok_s
    middle = sum(measured) / 2
    assert expected == pytest.approx(middle, rel=0.15)
    assert low <= measured[0] and measured[1] <= high
    assert low >= 0.7 * expected and high <= 1.3 * expected
    chosen = speed_of(name, shape, server_context=32768)
    assert chosen.decode_tok_s[1] >= expected


def test_all_of_qwen_on_the_big_card() -> None:
    """article.txt gives 128 tok/s, with vLLM; llama.cpp reaches 196 with half of the bytes."""
    speed = speed_of("pro6000")
    assert 80 < speed.decode_tok_s[1] < 128
    assert speed.bound_by == "GPU memory bandwidth"


def test_deepseeks_long_prompt_takes_about_ten_minutes() -> None:
    """article.txt: 44.5k tokens in roughly 10 minutes on the Ryzen box."""
    wishes = {"server_placement": "cpu-moe", "server_ubatch": 512}
    low, expected, high = speed_of("ryzen", deepseek_v4_flash(), **wishes).prefill_tok_s
    assert 600 / 1.5 < 44500 / expected < 600 * 1.5
    assert 44500 / high < 600 < 44500 / low


def test_power_and_heat_of_the_articles_boxes() -> None:
    """article.txt: about 800 W on the dual Xeons, 1000 W and more with the RTX 5090."""
    xeon, ryzen = speed_of("xeon"), speed_of("ryzen")
    assert xeon.power_w == pytest.approx(800, rel=0.1)
    assert ryzen.power_w == pytest.approx(1000, rel=0.1)
    assert xeon.power_w is not None and xeon.heat_btu_h == pytest.approx(
        xeon.power_w * 3.412, abs=2
    )


def test_the_first_token_of_a_long_prompt_takes_more_than_its_share() -> None:
    """Attention grows with the square of the prompt (minimax: 62 layers of full attention)."""
    times = speed_of("pro6000", minimax_m2()).ttft_s
    assert list(times) == [4096, 32768, 131072]
    assert times[131072] > 4 * times[32768] > 32 * times[4096] > 0


@pytest.mark.parametrize("name", ["xeon", "ryzen"])
def test_the_limit_is_named(name: str) -> None:
    assert speed_of(name, server_placement="cpu-moe").bound_by == "host memory bandwidth"


def test_few_cores_on_many_channels_bind() -> None:
    dimms = [{"size_mib": 65536, "speed_mts": 4800, "type": "DDR5", "slot": f"DIMM_{c}1"}
             for c in "ABCDEFGHIJKL"]  # fmt: skip
    genoa = {"model": "AMD EPYC 9124 16-Core Processor", "sockets": 1, "cores": 16, "threads": 32}
    numa = [{"node": 0, "cpus": "0-31", "memory_mib": 786432}]
    on = machine(
        "xeon", cpu=genoa, numa=numa, memory={"dimms": dimms, "total_mib": 786432}, gpus=[]
    )
    assert speed_of(on).bound_by == "processor cores"


def test_unknown_modules_widen_the_interval() -> None:
    known, unknown = speed_of("xeon"), speed_of(machine("xeon", memory={"dimms": []}))
    spread = [high / low for low, _, high in (known.decode_tok_s, unknown.decode_tok_s)]
    assert spread[1] > 1.5 * spread[0]
    assert known.decode_tok_s[1] == unknown.decode_tok_s[1]  # its processor's usual modules


def test_all_in_vram_needs_no_modules() -> None:
    assert speed_of(machine("pro6000", memory={"dimms": []})) == speed_of(
        machine("pro6000", memory={"dimms": []}, numa=[])
    )
    low, expected, _ = speed_of(machine("pro6000", memory={"dimms": []})).decode_tok_s
    assert low > 0.7 * expected


def test_a_card_of_unknown_bandwidth_gives_no_speed_and_a_sentence() -> None:
    cards = [gpu("0000:01:00.0", "10de:1b7f", vram_mib=16384)]
    made = planned(machine("ryzen", gpus=cards, os=UBUNTU))
    assert made.refusal is None and made.speed is None
    assert any("bandwidth" in warning for warning in made.warnings)


def test_a_measured_decode_replaces_the_prediction() -> None:
    made = planned("xeon", qwen35_122b(), {"measured": Measured(decode_tok_s=11.4)})
    assert made.speed is not None
    assert made.speed.decode_tok_s == (11.1, 11.4, 11.7)
    assert made.speed.bound_by == "measured"
    document = plan.as_json(made)["speed"]
    assert document["decode_tok_s"] == [11.1, 11.4, 11.7] and "4096" in document["ttft_s"]


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

"""The speed prediction: the article's figures, honest intervals, limits, what replaces it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import catalog, plan
from boxwright.machine import Machine
from boxwright.plan import Known, Wanted
from boxwright.plan.known import Measured
from boxwright.plan.results import Speed
from boxwright.plan.speed_decode import host_speed
from boxwright.shapes import ModelShape
from tests.shapes.read import shape_of
from tests.unit.plans import (
    deepseek_v4_flash,
    gpu,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    tiny,
)

UBUNTU = {"id": "ubuntu", "version_id": "24.04", "kernel": "6.8.0-60-generic"}


def speed_of(on: Machine | str, shape: Any = None, **wishes: Any) -> Speed:
    made = planned(on, shape or qwen35_122b(), **wishes)
    assert made.speed is not None, made.warnings
    return made.speed


def estimated(name: str, quant: str) -> ModelShape:
    row = catalog.load().models[name]
    shape = plan.estimated_shape(row, row.quants[quant])
    assert shape is not None
    return shape


def usual_q4_k_m(down_q6_k: int) -> ModelShape:
    """Qwen3.5-122B with attention in Q4_K and `down_q6_k` of its layers' down experts in Q6_K.

    llama.cpp's Q4_K_M gives the first and last eighth of the layers and every third between more
    bits: 24 of 48, 73.9 GB; 27 make 74.5 GB. Blocks of 256 weights: 144 bytes of Q4_K, 210 of Q6_K,
    272 of Q8_0.
    """
    like, weights = qwen35_122b(), 3072 * 1024 * 256
    kinds = [
        replace(
            layer,
            dense_bytes=layer.dense_bytes * 144 // 272,
            expert_bytes=weights // 256 * (2 * 144 + (210 if number < down_q6_k else 144)),
        )
        for number, layer in enumerate(like.layers)
    ]
    embedding, output = (3072 * 248320 // 256 * size for size in (144, 210))
    layers_bytes = sum(layer.dense_bytes + layer.expert_bytes for layer in kinds)
    return replace(
        like,
        layers=tuple(kinds),
        embedding_bytes=embedding,
        output_bytes=output,
        file_bytes=layers_bytes + embedding + output,
    )


@pytest.mark.parametrize(
    ("name", "shape", "measured"),
    [
        ("xeon", qwen35_122b(), (10, 10)),
        ("xeon", estimated("qwen3.5-122b-a10b", "Q4_K_M"), (10, 10)),
        ("xeon", usual_q4_k_m(24), (10, 10)),
        ("xeon", usual_q4_k_m(27), (10, 10)),
        ("xeon", usual_q4_k_m(0), (10, 10)),
        ("ryzen", qwen35_122b(), (22.8, 22.8)),
        ("ryzen", estimated("qwen3.5-122b-a10b", "Q4_K_M"), (22.8, 22.8)),
        ("ryzen", usual_q4_k_m(24), (22.8, 22.8)),
        ("ryzen", usual_q4_k_m(27), (22.8, 22.8)),
        ("ryzen", usual_q4_k_m(0), (22.8, 22.8)),
        ("ryzen", deepseek_v4_flash(), (11, 12)),
        ("ryzen", estimated("deepseek-v4-flash", "MXFP4"), (11, 12)),
        ("xeon", shape_of("qwen3.5-122b-a10b"), (10, 10)),
        ("ryzen", shape_of("qwen3.5-122b-a10b"), (22.8, 22.8)),
        ("ryzen", shape_of("deepseek-v4-flash"), (11, 12)),
    ],
    ids=[
        "qwen-xeon", "estimated-xeon", "mixed-xeon", "richer-xeon", "plain-xeon",
        "qwen-ryzen", "estimated-ryzen", "mixed-ryzen", "richer-ryzen", "plain-ryzen",
        "deepseek-ryzen", "estimated-deepseek-ryzen",
        "header-xeon", "header-ryzen", "header-deepseek-ryzen",
    ],
)  # fmt: skip
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


def test_decode_at_depth_reads_the_whole_cache_once_per_token() -> None:
    """MiniMax-M2: 62 layers of K and V of 8 heads by 128, q8_0; an RTX PRO 6000 has 1792 GB/s."""
    speed = speed_of("pro6000", minimax_m2(), server_context=131072, server_cache_type="q8_0")
    empty, at = 1 / speed.decode_tok_s[1], speed.decode_at_depth_tok_s
    assert list(at) == [4096, 32768, 131072]
    cache_gb = 62 * 2 * 8 * 128 * 34 / 32 * 131072 / 1e9
    bandwidth_gb_s = cache_gb / (1 / at[131072] - empty)
    assert 0.2 * 1792 < bandwidth_gb_s < 0.5 * 1792
    assert (1 / at[131072] - empty) / (1 / at[32768] - empty) == pytest.approx(4, rel=0.1)


def test_depths_end_at_the_context_of_one_user() -> None:
    assert list(speed_of("pro6000", server_context=16384).decode_at_depth_tok_s) == [4096, 16384]
    for_two = speed_of("pro6000", server_context=65536, server_parallel=2)
    assert list(for_two.decode_at_depth_tok_s) == [4096, 32768]


def test_recurrent_layers_lose_less_at_depth_than_full_attention() -> None:
    """Qwen3.5-122B attends in 12 of its 48 layers with 2 heads of K and V, MiniMax in 62 with 8."""
    lost = []
    for shape in (qwen35_122b(), minimax_m2()):
        speed = speed_of("ryzen", shape, server_placement="cpu-moe", server_context=131072)
        lost.append(1 / speed.decode_at_depth_tok_s[131072] - 1 / speed.decode_tok_s[1])
    assert 0 < 5 * lost[0] < lost[1]


@pytest.mark.parametrize("name", ["xeon", "ryzen"])
def test_the_limit_is_named(name: str) -> None:
    assert speed_of(name, server_placement="cpu-moe").bound_by == "host memory bandwidth"


def test_both_sockets_live_on_one_nodes_channels_and_the_link() -> None:
    """Remote reads of E5 v4: 30.6 GB/s with home snoop, 16.8 with source snoop (speed.yaml)."""
    constants, xeon = catalog.load().speed, machine("xeon")
    both, one = (host_speed(on, constants) for on in (xeon, with_one_socket(xeon)))
    assert 2 * 16.8 < both.gb_s < 2 * 30.6
    assert both.gb_s < one.gb_s < 76.8  # four channels of DDR4-2400
    epyc = {"model": "AMD EPYC 9654 96-Core Processor", "sockets": 2, "cores": 192, "threads": 384}
    wide = host_speed(machine("xeon", cpu=epyc), constants)
    assert wide.gb_s == pytest.approx(one.gb_s, rel=0.01)  # four xGMI are no limit for 77 GB/s


def with_one_socket(on: Machine) -> Machine:
    memory = replace(on.memory, dimms=on.memory.dimms[:4])
    return replace(on, cpu=replace(on.cpu, sockets=1, cores=20), memory=memory, numa=on.numa[:1])


@pytest.mark.parametrize(
    ("model", "cores", "speed_mts", "least", "most"),
    [
        # reads 62.9 GB/s (memtest86plus #557); decode takes in 84 to 91 % of reads (speed.yaml)
        ("AMD Ryzen 7 9700X 8-Core Processor", 8, 5600, 0.84 * 62.9, 0.91 * 62.9),
        # decode of a Ryzen 9 7900 47 to 58, a 7950X 58, a 9950X 59; an HX 370, of one die, 70
        ("AMD Ryzen 9 9950X 16-Core Processor", 16, 6000, 47, 59),
        ("AMD Ryzen AI 9 HX PRO 370 w/ Radeon 890M", 12, 5600, 66, 74),
        ("AMD Ryzen 7 9700X 8-Core Processor", 8, 3600, 46, 54),
    ],
)
def test_decode_does_not_take_in_all_of_fast_modules(
    model: str, cores: int, speed_mts: int, least: float, most: float
) -> None:
    dimms = [{"size_mib": 24576, "speed_mts": speed_mts, "type": "DDR5", "slot": f"DIMM_{c}1"}
             for c in "AB"]  # fmt: skip
    cpu = {"model": model, "cores": cores, "threads": 2 * cores}
    on = machine("ryzen", cpu=cpu, memory={"dimms": dimms})
    assert least < host_speed(on, catalog.load().speed).gb_s < most


def test_a_barrier_costs_more_the_more_threads_wait() -> None:
    """100 to 250 ns per core in a socket (speed.yaml); worse over a link."""
    constants, ryzen = catalog.load().speed, machine("ryzen")
    many = replace(ryzen, cpu=replace(ryzen.cpu, cores=48))
    two = replace(ryzen, cpu=replace(ryzen.cpu, cores=48, sockets=2))
    found = [host_speed(on, constants).barrier_us for on in (ryzen, many, two)]
    assert 16 * 0.1 < found[0] < 16 * 0.25 and found[1] == pytest.approx(3 * found[0])
    assert found[2] > found[1]


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

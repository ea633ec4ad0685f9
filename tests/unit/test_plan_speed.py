"""The speed prediction: the article's figures, prompts, and what a filled context costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from boxwright import catalog, plan
from boxwright.shapes import ModelShape
from tests.shapes.read import shape_of
from tests.unit.plans import deepseek_v4_flash, gpu, machine, minimax_m2, qwen35_122b, speed_of


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


def test_prefill_with_experts_in_ram_follows_the_physical_batch_and_the_link() -> None:
    """reference/llama-cpp.md 3.5: copied once per ubatch, so that is the prefill lever."""
    small, large = (speed_of("xeon", server_ubatch=ubatch) for ubatch in (512, 2048))
    assert large.prefill_tok_s[1] > 1.5 * small.prefill_tok_s[1]
    narrow = [gpu("0000:01:00.0", "10de:2b85", link_speed_gts=8.0, link_width=4)]
    assert (
        speed_of(machine("ryzen", gpus=narrow)).prefill_tok_s[1]
        < speed_of("ryzen").prefill_tok_s[1] / 3
    )

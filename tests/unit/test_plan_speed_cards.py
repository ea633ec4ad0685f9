"""What older cards cannot do: heads that read K and V again, experts and tokens one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from boxwright import catalog
from boxwright.catalog import GpuRow
from boxwright.plan.layout import Layout, all_layers
from boxwright.plan.speed_decode import GpuSpeed, host_speed
from boxwright.plan.speed_depth import attention_seconds, readings
from boxwright.plan.speed_prefill import PrefillCard, prefill_tok_s
from boxwright.shapes import LayerShape, ModelShape
from tests.shapes.read import shape_of
from tests.unit.plans import machine, minimax_m2, qwen35_122b

CONSTANTS = catalog.load().speed


def qwen25_7b() -> ModelShape:
    """28 layers, 28 heads of 128 elements, four of K and V."""
    like = shape_of("llama-3.3-70b")
    layer = LayerShape(dense_bytes=140_000_000, kv_elements_k=512, kv_elements_v=512)
    return replace(like, architecture="qwen2", layers=(layer,) * 28, metadata=told(28, 4))


def told(heads: int | str, heads_kv: int | str) -> dict[str, int | float | str | bool]:
    return {"qwen2.attention.head_count": heads, "qwen2.attention.head_count_kv": heads_kv}


@pytest.mark.parametrize(
    ("heads", "heads_kv", "expected"),
    [
        (28, 4, 7),  # Qwen2.5-7B
        (24, 4, 3),  # Qwen3.6-27B: in twos
        (40, 8, 5),  # Qwen3-14B
        (96, 8, 3),  # GLM-4.5-Air: in fours
        (32, 2, 2),  # Qwen3.5-122B: in eights
        (48, 8, 3),
        (64, 8, 1),
        (32, 8, 1),
        (16, 16, 1),
        ("32,32", "8,32", 1),
        (0, 0, 1),  # none told
    ],
)
def test_heads_share_a_reading_in_twos_fours_and_eights(
    heads: int | str, heads_kv: int | str, expected: int
) -> None:
    shape = replace(qwen25_7b(), metadata=told(heads, heads_kv))
    assert readings(shape, 0) == expected


@pytest.mark.parametrize(
    ("generation", "gb_s", "empty", "deep"),
    [
        # tok/s with 0 and 32768 tokens, of llama-bench (legacy-gpu-llm-notes)
        ("Pascal", 256, 32.48, 11.73),
        ("Volta", 900, 123.03, 68.64),
        ("Ada", 504, 98.95, 70.56),
    ],
)
def test_seven_heads_to_one_cost_what_they_read_again(
    generation: str, gb_s: float, empty: float, deep: float
) -> None:
    shape, row = qwen25_7b(), CONSTANTS.gpus[generation]
    on = machine("ryzen")

    def seconds(row: GpuRow, cache_type: str = "f16") -> float:
        layout, cards = Layout(1, all_layers(shape)), (GpuSpeed(gb_s, row),)
        host = host_speed(on, CONSTANTS)
        return attention_seconds(CONSTANTS, on, host, cards, shape, layout, cache_type, depth=32768)

    assert seconds(row) == pytest.approx(1 / deep - 1 / empty, rel=0.25)
    assert (seconds(row) > 1.5 * seconds(replace(row, reread=0))) == (generation != "Ada")
    assert seconds(row, "q8_0") == seconds(replace(row, reread=0), "q8_0")


def prompt_seconds(shape: ModelShape, row: GpuRow, ubatch: int = 512) -> float:
    """Of one physical batch, all on a card of 900 GB/s."""
    on, cards = machine("ryzen"), (PrefillCard(GpuSpeed(900, row), 15.75),)
    host, layout = host_speed(on, CONSTANTS), Layout(1, all_layers(shape))
    return ubatch / prefill_tok_s(CONSTANTS, on, host, cards, shape, layout, ubatch)[1]


@pytest.mark.parametrize(
    ("generation", "ubatch", "one_by_one"),
    [("Volta", 512, True), ("Volta", 32, False), ("Ampere", 512, False), ("Pascal", 512, False)],
)
def test_experts_are_multiplied_one_by_one_where_only_halves_have_tensor_cores(
    generation: str, ubatch: int, one_by_one: bool
) -> None:
    """MiniMax-M2: 62 layers of 256 experts, eight for a token; five kernels for three matrices."""
    shape, row = minimax_m2(), CONSTANTS.gpus[generation]
    more = prompt_seconds(shape, row, ubatch) - prompt_seconds(
        shape, replace(row, expert_us=0), ubatch
    )
    launches = 62 * 256 * 5 * 3
    assert more == 0 or one_by_one
    assert not one_by_one or launches * 2e-6 < more < launches * 5e-6


@pytest.mark.parametrize("generation", ["Pascal", "Volta", "Ampere", "Ada", "Blackwell"])
def test_recurrent_layers_take_a_prompts_tokens_one_after_another(generation: str) -> None:
    """Qwen3.5-122B has 36 layers with a state; a step takes 1 to 8 µs. MiniMax has none."""
    row = CONSTANTS.gpus[generation]
    without = replace(row, token_us=0)
    recurrent = qwen35_122b()
    more = prompt_seconds(recurrent, row) - prompt_seconds(recurrent, without)
    assert 36 * 512 * 1e-6 < more < 36 * 512 * 8e-6
    assert prompt_seconds(minimax_m2(), row) == prompt_seconds(minimax_m2(), without)

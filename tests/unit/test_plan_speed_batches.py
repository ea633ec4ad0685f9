"""Prompts in physical batches of any size: one token is decode, and none outruns its weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from boxwright import catalog
from boxwright.plan.layout import Layout, all_layers
from boxwright.plan.results import Speed
from boxwright.plan.speed_decode import GpuSpeed, decode_seconds, host_speed
from boxwright.plan.speed_prefill import PrefillCard, prefill_tok_s
from boxwright.shapes import ModelShape
from tests.shapes.read import shape_of
from tests.unit.plans import machine, speed_of

CONSTANTS = catalog.load().speed
UBATCHES = (1, 2, 3, 5, 8, 13, 24, 31, 32, 33, 48, 63, 64, 65, 96, 128, 256, 512, 1024, 2048)
OFFLOADED_FROM = 32  # GGML_OP_OFFLOAD_MIN_BATCH, reference/llama-cpp.md 3.2
CPU_MOE = {"server_placement": "cpu-moe"}
CPU = {"server_placement": "cpu"}
SOME_MOE = {"server_n_cpu_moe": 30}
CASES = [
    ("pro6000", "llama-3.3-70b", {}),
    ("pro6000", "qwen3.5-122b-a10b", {}),
    ("xeon", "qwen3.5-122b-a10b", CPU_MOE),
    ("xeon", "qwen3.5-122b-a10b", SOME_MOE),
    ("xeon", "qwen3.5-122b-a10b", CPU),
    ("xeon", "mixtral-8x7b", CPU_MOE),
    ("ryzen", "llama-3.3-70b", CPU),
    ("ryzen", "qwen3.5-122b-a10b", CPU),
    ("ryzen", "qwen3.5-122b-a10b", CPU_MOE),
    ("ryzen", "deepseek-v4-flash", CPU_MOE),
    ("plain", "llama-3.3-70b", CPU),
]
WISHES = Mapping[str, Any]


@cache
def _speed(on: str, model: str, wishes: tuple[tuple[str, Any], ...], ubatch: int) -> Speed:
    return speed_of(on, shape_of(model), server_ubatch=ubatch, **dict(wishes))


def speed(on: str, model: str, wishes: WISHES, ubatch: int) -> Speed:
    return _speed(on, model, tuple(wishes.items()), ubatch)


def prefill(on: str, model: str, wishes: WISHES, ubatch: int) -> float:
    return speed(on, model, wishes, ubatch).prefill_tok_s[1]


@pytest.mark.parametrize(("on", "model", "wishes"), CASES)
def test_a_batch_of_one_token_is_a_decode(on: str, model: str, wishes: WISHES) -> None:
    found = speed(on, model, wishes, 1)
    assert found.prefill_tok_s[1] == pytest.approx(found.decode_tok_s[1], rel=0.1)


@pytest.mark.parametrize(
    "model", ["llama-3.3-70b", "qwen3.5-122b-a10b", "gemma-3-27b", "gpt-oss-20b"]
)
@pytest.mark.parametrize("generation", CONSTANTS.gpus)
def test_so_it_is_on_every_card(generation: str, model: str) -> None:
    shape, on, gpu = shape_of(model), machine("ryzen"), GpuSpeed(900, CONSTANTS.gpus[generation])
    host, layout = host_speed(on, CONSTANTS), Layout(1, all_layers(shape))
    seconds = sum(decode_seconds(CONSTANTS, host, (gpu,), shape, layout).values())
    cards = (PrefillCard(gpu, 15.75),)
    found = prefill_tok_s(CONSTANTS, on, host, cards, shape, layout, 1)
    assert found[1] == pytest.approx(1 / seconds, rel=0.1)


@pytest.mark.parametrize(("on", "model", "wishes"), CASES)
def test_larger_batches_are_read_faster_but_where_llama_cpp_begins_to_copy(
    on: str, model: str, wishes: WISHES
) -> None:
    for before, after in pairwise(UBATCHES):
        copies = before < OFFLOADED_FROM <= after and wishes and wishes != CPU
        faster = prefill(on, model, wishes, after) >= prefill(on, model, wishes, before)
        assert faster or copies, (before, after)


@pytest.mark.parametrize("model", ["qwen3.5-122b-a10b", "mixtral-8x7b"])
def test_copies_of_a_small_batch_cost_more_than_reading_where_they_lie(model: str) -> None:
    """PCIe 3.0 x16 has 15.75 GB/s; llama.cpp pull 18166 sets 2560 tokens on such machines."""
    below, above = (prefill("xeon", model, CPU_MOE, ubatch) for ubatch in (31, 32))
    assert above < below < prefill("xeon", model, CPU_MOE, 2048)


@pytest.mark.parametrize(
    ("on", "wishes", "gb_s"),
    # a card's own memory; two channels of DDR5-3600, four of DDR4-2400
    [("pro6000", {}, 1792), ("ryzen", CPU, 2 * 8 * 3.6), ("plain", CPU, 4 * 8 * 2.4)],
)
def test_no_batch_outruns_its_weights(on: str, wishes: WISHES, gb_s: float) -> None:
    shape = shape_of("llama-3.3-70b")
    read_gb = sum(layer.dense_bytes for layer in shape.layers) / 1e9
    for ubatch in UBATCHES:
        assert ubatch / prefill(on, "llama-3.3-70b", wishes, ubatch) > 0.99 * read_gb / gb_s


def used_experts(shape: ModelShape, tokens: int) -> float:
    """How many of a layer's experts so many tokens use, on average over 200 draws."""
    dice, experts = Random(1), range(shape.experts)
    draws = [
        {one for _ in range(tokens) for one in dice.sample(experts, shape.experts_used)}
        for _ in range(200)
    ]
    return sum(map(len, draws)) / len(draws)


@pytest.mark.parametrize("tokens", [2, 8, 31])
@pytest.mark.parametrize(("on", "gb_s"), [("ryzen", 2 * 8 * 3.6), ("xeon", 4 * 8 * 2.4)])
def test_small_batches_read_their_experts_from_host_ram(on: str, gb_s: float, tokens: int) -> None:
    shape = shape_of("qwen3.5-122b-a10b")
    share = used_experts(shape, tokens) / shape.experts
    read_gb = sum(layer.expert_bytes for layer in shape.layers) * share / 1e9
    seconds = tokens / prefill(on, "qwen3.5-122b-a10b", CPU_MOE, tokens)
    assert read_gb / gb_s < seconds < 4 * read_gb / gb_s

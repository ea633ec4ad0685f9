"""The layout that is chosen is the fastest, and more or larger cards never make a worse one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.machine import Machine
from boxwright.shapes import ModelShape
from tests.integration.plan_boxes import (
    P40,
    P5000,
    RTX_3060,
    RTX_3090,
    decode,
    epyc,
    with_cards,
)
from tests.unit.plans import (
    MIB,
    gpu,
    layers,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    tiny,
    value_of,
)

IDS = st.sampled_from([RTX_3090, RTX_3060, "10de:2684", "10de:1e07", "10de:2b85"])


def dense_16_gib() -> ModelShape:
    """The tiny model, each of its layers sixteen times as heavy."""
    shape = tiny()
    heavy = layers(16, dense=960, kv=512)
    return replace(shape, layers=heavy, file_bytes=16 * 1024 * MIB, parameters=16_000_000_000)


@pytest.mark.parametrize("on", [epyc(P40, 24576, 24576), epyc(RTX_3090, 24576), machine("xeon")])
def test_auto_is_never_slower_than_the_article_s_layout(on: Machine) -> None:
    auto = planned(on, qwen35_122b())
    forced = planned(on, qwen35_122b(), server_placement="cpu-moe")
    assert decode(auto) >= 0.95 * decode(forced)


def test_old_cards_beside_fast_memory_get_no_experts() -> None:
    made = planned(epyc(P40, 24576, 24576), qwen35_122b())
    assert made.memory is not None
    assert made.memory.host.model_mib >= 48 * 1296


@settings(max_examples=20, deadline=None)
@given(
    vram_mib=st.integers(10000, 40000),
    more=st.integers(1, 30000),
    id=st.sampled_from([P40, RTX_3090]),
)
def test_a_larger_card_is_never_slower(vram_mib: int, more: int, id: str) -> None:
    small = planned(with_cards(id, vram_mib), qwen35_122b())
    large = planned(with_cards(id, vram_mib + more), qwen35_122b())
    assert decode(large) >= 0.95 * decode(small)


def split_of(made: Any) -> tuple[float, ...]:
    assert made.placement is not None and made.placement.tensor_split is not None
    return tuple(made.placement.tensor_split)


def mixed(*cards: tuple[str, int]) -> Machine:
    fitted = [gpu(f"0000:{n:02x}:00.0", id, vram_mib=size) for n, (id, size) in enumerate(cards, 1)]
    return machine("xeon", gpus=fitted)


def test_a_slow_card_gets_nothing_of_what_the_fast_one_holds() -> None:
    alone = planned(mixed((RTX_3090, 24576)), tiny())
    both = planned(mixed((RTX_3060, 12288), (RTX_3090, 24576)), tiny())
    assert split_of(both)[0] == 0
    assert decode(both) >= 0.99 * decode(alone)


def test_a_fast_card_is_filled_before_a_slow_one() -> None:
    small = planned(mixed((RTX_3060, 12288), (RTX_3090, 12288)), dense_16_gib())
    large = planned(mixed((RTX_3060, 24576), (RTX_3090, 12288)), dense_16_gib())
    assert split_of(small)[1] > split_of(small)[0]
    assert split_of(large) == split_of(small), "more room on the slow card draws nothing to it"


def test_equal_cards_share_equally() -> None:
    assert split_of(planned(mixed((RTX_3090, 24576), (RTX_3090, 24576)), tiny())) == (1, 1)


@settings(max_examples=40, deadline=None)
@given(
    cards=st.lists(st.tuples(IDS, st.integers(6000, 33000)), max_size=2),
    more=st.tuples(IDS, st.integers(6000, 33000)),
    ram_mib=st.sampled_from([32000, 64000, 128000, 256000]),
    context=st.sampled_from([8192, 32768, 131072]),
    model=st.sampled_from([tiny, qwen35_122b, minimax_m2]),
)
def test_one_more_card_is_never_a_worse_plan(
    cards: list[tuple[str, int]], more: tuple[str, int], ram_mib: int, context: int, model: Any
) -> None:
    def made_with(*fitted: tuple[str, int]) -> Any:
        memory = {"total_mib": ram_mib, "available_mib": ram_mib}
        on = machine("xeon", gpus=[
            gpu(f"0000:{n:02x}:00.0", id, vram_mib=size) for n, (id, size) in enumerate(fitted, 1)
        ], memory=memory)  # fmt: skip
        return planned(on, model(), server_context=context)

    before = made_with(*cards)
    if before.refusal is None:
        assert decode(made_with(*cards, more)) >= 0.9 * decode(before)


def test_fast_cards_keep_their_layers() -> None:
    made = planned(epyc(RTX_3090, 24576), qwen35_122b())
    assert value_of(made, "--n-gpu-layers") == "all"
    assert not any("layer lies" in note or "left alone" in note for note in made.warnings)


@settings(max_examples=20, deadline=None)
@given(
    ram_mib=st.integers(70000, 300000),
    vram_mib=st.lists(st.integers(2048, 30000), min_size=1, max_size=2),
    context=st.sampled_from([4096, 32768, 262144]),
    id=st.sampled_from([P5000, RTX_3090]),
)
def test_a_card_more_never_makes_a_host_refused(
    ram_mib: int, vram_mib: list[int], context: int, id: str
) -> None:
    memory = {"total_mib": ram_mib}
    without = planned(with_cards(id, memory=memory), minimax_m2(), server_context=context)
    made = planned(with_cards(id, *vram_mib, memory=memory), minimax_m2(), server_context=context)
    assert without.refusal is not None or made.refusal is None

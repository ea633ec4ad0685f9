"""More memory is never a worse plan: sizes that are left to it, and decode with equal sizes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.plan import Plan
from tests.shapes.read import shape_of
from tests.unit.plans import (
    deepseek_v4_flash,
    gpu,
    machine,
    planned,
    qwen35_122b,
    tiny,
    value_of,
)

P40, RTX_3090, RTX_5090, RTX_2080_TI = "10de:1b38", "10de:2204", "10de:2b85", "10de:1e07"
ROUNDED = 0.99  # decode is told with three digits, and splits that differ by 1 % count as equal
# what a larger batch may cost of decode (group_data: it is the lever for prompts)
FOR_BATCH = 0.94


def box(name: str, cards: list[tuple[str, int]], ram_mib: int | None = None) -> Any:
    fitted = [gpu(f"0000:{n:02x}:00.0", id, vram_mib=size) for n, (id, size) in enumerate(cards, 1)]
    memory = {"memory": {"total_mib": ram_mib, "available_mib": ram_mib}} if ram_mib else {}
    return machine(name, gpus=fitted, **memory)


def decode(made: Plan) -> float:
    assert made.refusal is None and made.speed is not None, made.refusal
    return made.speed.decode_tok_s[1]


def context(made: Plan) -> int:
    return int(value_of(made, "--ctx-size"))


def ubatch(made: Plan) -> int:
    return int(value_of(made, "--ubatch-size"))


def on_cards(made: Plan, shape: Any) -> bool:
    assert made.placement is not None
    return made.placement.gpu_layers in ("all", shape.spread_layers + 1)


def test_more_ram_does_not_draw_layers_from_a_card_for_a_larger_batch() -> None:
    """Half of the layers would go to host RAM for it, once that has the room."""
    wishes: dict[str, Any] = {"server_context": 8192, "server_ubatch": 0}
    plans = [
        planned(box("xeon", [(RTX_3090, 5376)], ram_mib), qwen35_122b(), **wishes)
        for ram_mib in (72192, 80384, 113152)
    ]
    for less, more in pairwise(plans):
        assert decode(more) >= ROUNDED * decode(less)


@pytest.mark.parametrize(
    ("name", "id", "sizes", "model"),
    [
        # a dense model of 40 GB: layers lie in host RAM at all of these
        ("xeon", P40, range(8192, 26000, 2048), "llama-3.3-70b"),
        ("ryzen", RTX_5090, range(6144, 11000, 1024), "glm-4.5-air"),
    ],
)
def test_a_context_left_to_the_plan_does_not_shrink_for_one_more_layer(
    name: str, id: str, sizes: range, model: str
) -> None:
    shape = shape_of(model)
    plans = [planned(box(name, [(id, size)]), shape, server_context=0) for size in sizes]
    assert not any(on_cards(made, shape) for made in plans)
    found = [context(made) for made in plans]
    assert found == sorted(found) and found[0] > 32768


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(["xeon", "ryzen", "pro6000"]),
    model=st.sampled_from(["qwen3.5-122b-a10b", "gpt-oss-120b", "gemma-3-27b", "qwen3-30b"]),
    id=st.sampled_from([RTX_3090, RTX_2080_TI]),
    vram_mib=st.integers(3000, 30000),
    more=st.sampled_from([128, 512, 2048, 8192]),
    count=st.integers(1, 2),
)
def test_a_context_left_to_the_plan_is_only_smaller_where_all_layers_lie_on_cards(
    name: str, model: str, id: str, vram_mib: int, more: int, count: int
) -> None:
    shape = shape_of(model)
    small, large = (
        planned(box(name, [(id, size)] * count), shape, server_context=0)
        for size in (vram_mib, vram_mib + more)
    )
    if small.refusal is not None:
        return
    assert context(large) >= context(small) or on_cards(large, shape)
    if context(large) < context(small):
        assert context(large) >= 32768 and decode(large) > 1.05 * decode(small)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["xeon", "ryzen", "pro6000"]),
    model=st.sampled_from(
        ["qwen3.5-122b-a10b", "minimax-m2.7", "gpt-oss-120b", "gemma-3-27b", "glm-4.5-air"]
    ),
    id=st.sampled_from([RTX_3090, RTX_2080_TI, P40]),
    vram_mib=st.integers(3000, 50000),
    more=st.sampled_from([128, 512, 2048, 8192]),
    count=st.integers(1, 3),
    tokens=st.sampled_from([8192, 32768, 131072]),
    batch=st.sampled_from([0, 512, 2048]),
)
def test_more_vram_is_never_slower_and_never_gives_a_smaller_batch_for_nothing(
    name: str, model: str, id: str, vram_mib: int, more: int, count: int, tokens: int, batch: int
) -> None:
    small, large = (
        planned(
            box(name, [(id, size)] * count), shape_of(model),
            server_context=tokens, server_ubatch=batch,
        )
        for size in (vram_mib, vram_mib + more)
    )  # fmt: skip
    if small.refusal is not None:
        return
    assert small.speed is not None and large.speed is not None, large.refusal
    larger = ubatch(large) > ubatch(small)
    assert decode(large) >= (FOR_BATCH if larger else ROUNDED) * decode(small)
    if ubatch(large) < ubatch(small):
        prefill = [made.speed.prefill_tok_s[1] for made in (small, large) if made.speed]
        assert decode(large) > decode(small) or prefill[1] > prefill[0]


RTX_4090, P5000, RTX_3060 = "10de:2684", "10de:1bb0", "10de:2503"


@pytest.mark.parametrize(
    ("on", "model", "cards", "more", "wishes"),
    [
        # experts fill both cards: the slow one has to take those, the fast one the other weights
        (("ryzen", 129854), "deepseek-v4-flash", [(RTX_4090, 29696), (P40, 31488)], (1024, 1024),
         {"server_context": 131072, "server_ubatch": 4096}),
        (("pro6000", None), "qwen", [(RTX_2080_TI, 33280), (P5000, 28672)], (512, 512),
         {}),
        # no experts on cards: the fast one is filled first, however large the slow one is
        (("xeon", None), "minimax-m2.7", [(P40, 29696), (RTX_3090, 31232)], (20480, 0),
         {"server_placement": "cpu-moe", "server_context": 196608, "server_ubatch": 2048}),
        # a card that would do nothing is no reason to give a slow one something
        (("plain", None), "tiny", [(P5000, 5120), (RTX_3060, 15616)], (3072, 3072),
         {"server_context": 262144, "server_ubatch": 4096, "server_cache_type": "f16",
          "server_parallel": 2}),
    ],
)  # fmt: skip
def test_more_vram_on_unlike_cards_is_never_slower(
    on: tuple[str, int | None], model: str, cards: list[tuple[str, int]], more: tuple[int, int],
    wishes: dict[str, Any],
) -> None:  # fmt: skip
    name, ram_mib = on
    made = {"tiny": tiny, "qwen": qwen35_122b}.get(model)
    shape = made() if made else shape_of(model)
    larger = [(id, size + add) for (id, size), add in zip(cards, more, strict=True)]
    small, large = (
        planned(box(name, fitted, ram_mib), shape, **wishes) for fitted in (cards, larger)
    )
    assert decode(large) >= ROUNDED * decode(small)


def test_a_batch_that_costs_no_decode_is_taken_wherever_experts_lie() -> None:
    cards = [(RTX_5090, 23040), (RTX_4090, 9984), (RTX_3060, 43776)]
    wishes: dict[str, Any] = {"server_context": 65536, "server_ubatch": 0}
    small = planned(box("xeon", cards, 200000), deepseek_v4_flash(), **wishes)
    cards[2] = (RTX_3060, 47872)
    large = planned(box("xeon", cards, 200000), deepseek_v4_flash(), **wishes)
    assert decode(large) > decode(small) or ubatch(large) >= ubatch(small)


@pytest.mark.parametrize("size", range(34304, 35584, 128))
def test_a_forced_layout_that_fits_still_fits_with_more_vram(size: int) -> None:
    """The first ten layers weigh little, so equal shares of layers are no equal shares of bytes."""
    wishes: dict[str, Any] = {"server_context": 262144, "server_n_cpu_moe": 10}
    made = planned(box("xeon", [(P40, size)] * 2, 58589), qwen35_122b(), **wishes)
    assert made.refusal is None

"""Cards that the host alone beats: no layer lies there, or nothing, unless they are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.plan_boxes import (
    GTX_1050,
    P40,
    P5000,
    RTX_3090,
    decode,
    epyc,
    prefill,
    with_cards,
)
from tests.shapes.read import shape_of
from tests.unit.plans import (
    gpu,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    value_of,
)


def test_a_card_never_keeps_a_model_from_running_that_the_host_alone_runs() -> None:
    """The context of all layers would need five times the card's memory."""
    wishes: dict[str, Any] = {"server_context": 131072, "server_cache_type": "f16"}
    none = planned(machine("ryzen", gpus=[]), minimax_m2(), **wishes)
    card = machine("ryzen", gpus=[gpu("0000:01:00.0", P40, vram_mib=12288)])
    one = planned(card, minimax_m2(), **wishes)
    assert none.refusal is None and one.refusal is None
    assert one.placement is not None and 0 < int(one.placement.gpu_layers) < 62
    assert any("server_context" in warning for warning in one.warnings)
    forced = planned(card, minimax_m2(), **wishes, server_placement="cpu-moe")
    assert forced.refusal is not None and "VRAM" in forced.refusal.reason
    fewer = planned(machine("ryzen", gpus=[gpu("0000:01:00.0", P40, vram_mib=8192)]), minimax_m2(),
                    **wishes)  # fmt: skip
    assert fewer.placement is not None
    assert int(fewer.placement.gpu_layers) < int(one.placement.gpu_layers)


def figures(speed: Any) -> list[float]:
    """Decode with an empty context and at each depth, and prompts per second; more is better."""
    depths = speed.decode_at_depth_tok_s.values()
    return [speed.decode_tok_s[1], *depths, *(1 / seconds for seconds in speed.ttft_s.values())]


REAL = ["qwen3.5-122b-a10b", "minimax-m2.7", "gpt-oss-120b", "gemma-3-27b", "deepseek-v4-flash"]


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("cards", [(P5000, 16384), (P40, 24576, 24576), (GTX_1050, 4096)])
@pytest.mark.parametrize(
    "wishes", [{}, {"server_ubatch": 2048}, {"server_context": 131072}], ids=str
)
def test_auto_is_never_worse_in_everything_than_the_host_alone(
    name: str, cards: tuple[Any, ...], wishes: dict[str, Any]
) -> None:
    on, shape = epyc(*cards), shape_of(name)
    auto, alone = (
        planned(on, shape, **{**wishes, "server_placement": where}).speed
        for where in ("auto", "cpu")
    )
    assert auto is not None and alone is not None
    gained = [b / a for a, b in zip(figures(auto), figures(alone), strict=True)]
    assert min(gained) <= 1.05, "alone it is clearly better at every figure"


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(REAL),
    id=st.sampled_from([P5000, P40, GTX_1050]),
    vram_mib=st.integers(3000, 40000),
    more=st.integers(0, 40000),
    twice=st.booleans(),
)
def test_more_memory_beside_fast_ram_is_never_worse_in_everything(
    name: str, id: str, vram_mib: int, more: int, twice: bool
) -> None:
    shape = shape_of(name)
    small = planned(epyc(id, vram_mib), shape).speed
    large = planned(epyc(id, *[vram_mib + more] * (1 + twice)), shape).speed
    assert small is not None and large is not None
    assert min(b / a for a, b in zip(figures(large), figures(small), strict=True)) <= 1.05


def test_a_p100_is_judged_by_what_a_p100_reaches() -> None:
    """Its HBM reads faster than its processors unpack: less of it than of other Pascal cards'."""
    card = gpu("0000:01:00.0", "10de:15f8", vram_mib=16280, link_speed_gts=8.0, link_width=4)
    on = machine(
        "xeon",
        gpus=[card],
        memory={"total_mib": 257000, "dimms": []},
        cpu={"model": "AMD EPYC 7763", "sockets": 1, "cores": 64, "threads": 128},
    )
    made = planned(on, shape_of("deepseek-v4-flash"))
    assert made.refusal is None and made.memory is not None and made.memory.devices == ()
    forced = planned(on, shape_of("deepseek-v4-flash"), server_placement="cpu-moe")
    assert decode(forced) < decode(made)


@pytest.mark.parametrize("cards", [(P5000, 16384, 16384), (P40, 24576)])
def test_cards_that_are_slower_than_the_host_are_left_alone(cards: tuple[Any, ...]) -> None:
    """Qwen3.5-122B has 12 layers of full attention: a chat's context does not slow it much."""
    on, shape = epyc(*cards), shape_of("qwen3.5-122b-a10b")
    made = planned(on, shape)
    assert made.driver is None and made.memory is not None and made.memory.devices == ()
    assert any("left alone: this host decodes faster" in note for note in made.warnings)
    assert made.speed == planned(on, shape, server_placement="cpu").speed
    forced = planned(on, shape, server_placement="cpu-moe")
    assert forced.driver is not None and decode(forced) < 0.7 * decode(made)


@pytest.mark.parametrize("wishes", [{"gpu_count": 2}, {"server_tensor_split": (1.0, 1.0)}])
def test_cards_that_are_asked_for_are_used(wishes: dict[str, Any]) -> None:
    made = planned(epyc(P5000, 16384, 16384), shape_of("qwen3.5-122b-a10b"), **wishes)
    assert made.refusal is None and made.driver is not None and made.memory is not None
    assert len(made.memory.devices) == 2


def test_slow_cards_that_read_prompts_faster_do_so_without_any_layer() -> None:
    """With a large batch copying the weights takes less time than the processor's arithmetic."""
    on, shape = epyc(P5000, 16384, 16384), shape_of("qwen3.5-122b-a10b")
    made = planned(on, shape, server_ubatch=2048)
    alone = planned(on, shape, server_ubatch=2048, server_placement="cpu")
    assert value_of(made, "--n-gpu-layers") == "0" and made.driver is not None
    assert decode(made) == decode(alone) and prefill(made) > 1.5 * prefill(alone)
    assert any("No layer lies on a card" in note for note in made.warnings)
    assert made.memory is not None and made.memory.host.context_mib > 0
    # prompts are computed on the first card: their buffers are reserved there, and experts' room
    first, second = made.memory.devices
    assert first.reserve.op_offload_mib > 432 and second.reserve.op_offload_mib == 0
    assert (first.model_mib, first.context_mib, first.compute_mib) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "wishes"),
    [
        # all 62 layers attend to all tokens: with 4096 in the context cards are faster already
        ("minimax-m2.7", {}),
        # a long context is where the processor's attention falls back
        ("qwen3.5-122b-a10b", {"server_context": 131072}),
        # 27 GB that both cards hold wholly read a long prompt in a fraction of the time
        ("gemma-3-27b", {}),
    ],
)
def test_a_fast_start_is_not_bought_with_long_contexts(name: str, wishes: dict[str, Any]) -> None:
    on, shape = epyc(P40, 24576, 24576), shape_of(name)
    made = planned(on, shape, **wishes)
    alone = planned(on, shape, **{**wishes, "server_placement": "cpu"})
    assert value_of(made, "--n-gpu-layers") == "all"
    assert decode(made) < decode(alone)


def test_a_card_too_small_for_anything_is_left_alone_unless_it_is_asked_for() -> None:
    on = with_cards(RTX_3090, 1024)
    made = planned(on, qwen35_122b())
    assert made.refusal is None and made.driver is None
    assert any("too small" in note for note in made.warnings)
    asked = planned(on, qwen35_122b(), server_placement="cpu-moe")
    assert asked.refusal is not None and "set server_placement to auto" in asked.refusal.cure


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"server_moe_cache_mib": 8192}, "server_moe_cache_mib = 8192, not with less"),
        ({"server_ubatch": 16384}, "server_ubatch = 16384, not with less"),
        ({"server_ubatch": 65536}, "server_ubatch = 65536, not with less"),
    ],
)
def test_more_vram_does_not_turn_a_plan_into_a_refusal(wishes: dict[str, Any], said: str) -> None:
    """A wish that a card has no room for leaves it alone, as it does a smaller card."""
    wishes = {"server_cache_type": "f16", "server_ubatch": 1, **wishes}
    alone = 0
    for vram_mib in (4096, 8192, 8704, 12288, 16384, 24576, 49152, 98304):
        cards = [gpu("0000:02:00.0", "10de:1b80", vram_mib=vram_mib)]
        on = machine("xeon", memory={"total_mib": 256000}, gpus=cards)
        made = planned(on, qwen35_122b(), **wishes)
        assert made.refusal is None, (vram_mib, made.refusal)
        if not (made.memory and made.memory.devices):
            alone += 1
            assert any(said in note or "any of this model" in note for note in made.warnings)
            free = {**wishes, "server_moe_cache_mib": None, "server_ubatch": 512}
            usual = planned(on, qwen35_122b(), **free)
            assert bool(usual.memory and usual.memory.devices) == any(
                said in note for note in made.warnings
            )
    assert 0 < alone < 8

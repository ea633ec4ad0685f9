"""Cards that would cost more than they bring are left without work; those that help are not."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import catalog
from boxwright.machine import Machine
from boxwright.plan import Plan, Refusal, Wanted, fewer
from boxwright.plan.cards import select
from boxwright.shapes import ModelShape
from tests.shapes.read import shape_of
from tests.unit.plans import gpu, machine, planned, qwen35_122b, tiny, value_of

P400, P6000, GT_1030, M5000 = "10de:1cb3", "10de:1b30", "10de:1d01", "10de:13f0"
P5000 = "10de:1bb0"
GTX_1650, A4500, RTX_3090, RTX_3060 = "10de:1f82", "10de:2232", "10de:2204", "10de:2503"
OLD = (P400, P6000, GT_1030, M5000)
NEW = (GTX_1650, A4500, RTX_3090, RTX_3060)


def box(*ids: str, ram_mib: int = 193000) -> Machine:
    cards = [gpu(f"0000:{slot:02x}:00.0", id) for slot, id in enumerate(ids, 1)]
    return machine("xeon", memory={"total_mib": ram_mib}, gpus=cards)


def used(made: Plan) -> list[str]:
    assert made.memory is not None, made.refusal
    return [device.pci[5:7] for device in made.memory.devices]


def speeds(made: Plan) -> tuple[float, float]:
    assert made.refusal is None and made.speed is not None
    return made.speed.decode_tok_s[1], made.speed.prefill_tok_s[1]


@pytest.mark.parametrize(
    ("ids", "model", "left"),
    [
        ((P400, P6000), "gemma-3-27b", ["02"]),  # 32 GB/s beside 432
        ((GTX_1650, A4500), "qwen3-235b", ["02"]),  # 4 GiB do not hold what a first card must
        ((GT_1030, P6000, M5000), "glm-4.5-air", ["02", "03"]),  # nor 2 GiB
        ((RTX_3060, RTX_3090), "qwen3.5-122b-a10b", ["01", "02"]),  # 12 GiB are of use
    ],
)
def test_only_cards_that_help_get_work(ids: tuple[str, ...], model: str, left: list[str]) -> None:
    made = planned(box(*ids), shape_of(model))
    assert made.refusal is None and used(made) == left
    assert made.server is not None and made.driver is not None
    visible = made.server.environment.get("CUDA_VISIBLE_DEVICES")
    assert visible == (None if len(left) == len(ids) else ",".join(str(int(n) - 1) for n in left))


def test_a_sentence_tells_which_card_is_left_out_and_what_that_brings() -> None:
    made = planned(box(P400, P6000), shape_of("gemma-3-27b"))
    (said,) = [one for one in made.warnings if "left without work" in one]
    assert said.startswith("0000:01:00.0 (Quadro P400, Pascal) is left without work: without it")
    found = re.search(r"decode ([\d.]+) instead of ([\d.]+) tok/s", said)
    assert found is not None
    assert float(found[1]) == speeds(made)[0] > float(found[2])
    forced = planned(box(P400, P6000), shape_of("gemma-3-27b"), gpu_count=2)
    assert speeds(forced)[0] == float(found[2])


@pytest.mark.parametrize(
    "wishes",
    [
        {"gpu_count": 2},
        {"server_placement": "cpu-moe"},
        {"server_n_cpu_moe": 90},
        {"server_tensor_split": (0.0, 1.0)},
    ],
)
def test_what_is_forced_uses_the_cards_it_is_forced_for(wishes: dict[str, Any]) -> None:
    made = planned(box(RTX_3060, RTX_3090), shape_of("qwen3-30b"), **wishes)
    assert made.refusal is None and used(made) == ["01", "02"]


def test_a_card_is_no_worse_for_layers_that_the_host_decodes_faster() -> None:
    """A P400 behind one old lane makes all prompts wait, whatever decodes them."""
    cards = [
        gpu("0000:01:00.0", P400, vram_mib=11264, link_speed_gts=2.5, link_width=1),
        gpu("0000:02:00.0", P5000, vram_mib=8192, link_speed_gts=16.0, link_width=16),
    ]
    fast = {"model": "AMD EPYC 9654 96-Core", "sockets": 1, "cores": 96, "threads": 192}
    on = machine("xeon", gpus=cards, memory={"total_mib": 128750, "dimms": []}, cpu=fast)
    packaged, wanted = catalog.load(), Wanted(server_context=131072, server_ubatch=2048)
    chosen = select(on, packaged, wanted)
    assert not isinstance(chosen, Refusal)
    left = fewer.decide(on, packaged, wanted, qwen35_122b(), chosen, sizes_given=True)
    assert [card.gpu.pci for card in left.used] == ["0000:02:00.0"]


@pytest.mark.parametrize(
    ("count", "model", "wishes", "work"),
    [
        (2, "qwen3-30b", {}, 2),  # a single card costs hardly anything
        (4, "qwen3-30b", {}, 1),
        (16, "qwen3-30b", {}, 1),
        (16, "gpt-oss-120b", {}, 3),  # 61 GiB
        (16, "qwen3-30b", {"server_context": 131072, "server_cache_type": "f16"}, 2),  # 12 GiB
        (2, "gpt-oss-120b", {}, 2),
        (3, "gpt-oss-120b", {}, 3),
        (16, "qwen3-30b", {"gpu_count": 16}, 16),
        (16, "qwen3-30b", {"server_context": 0}, 16),
        (16, "qwen3-30b", {"server_ubatch": 0}, 16),
    ],
)
def test_of_many_equal_cards_those_get_work_that_a_model_needs(
    count: int, model: str, wishes: dict[str, Any], work: int
) -> None:
    made = planned(box(*[RTX_3090] * count), shape_of(model), **wishes)
    assert made.refusal is None and len(used(made)) == work
    assert any("left without work" in one for one in made.warnings) == (work < count)
    every = planned(box(*[RTX_3090] * count), shape_of(model), **{**wishes, "gpu_count": count})
    assert speeds(made)[0] >= speeds(every)[0] and speeds(made)[1] >= 0.99 * speeds(every)[1]


def test_where_the_context_is_left_to_the_plan_all_cards_hold_it() -> None:
    both = planned(box(RTX_3060, RTX_3090), tiny(), server_context=0)
    alone = planned(box(RTX_3090), tiny(), server_context=0)
    assert int(value_of(both, "--ctx-size")) >= int(value_of(alone, "--ctx-size"))


MODELS = st.sampled_from([shape_of(name) for name in ("gemma-3-27b", "gpt-oss-120b", "qwen3-30b")])


@settings(max_examples=25, deadline=None)
@given(
    shape=MODELS,
    ids=st.one_of(
        st.lists(st.sampled_from(OLD), min_size=2, max_size=3),
        st.lists(st.sampled_from(NEW), min_size=2, max_size=3),
    ),
    ram_mib=st.sampled_from([32000, 64000, 128000]),
)
def test_no_card_keeps_a_model_from_running_or_makes_all_of_it_slower(
    shape: ModelShape, ids: list[str], ram_mib: int
) -> None:
    made = planned(box(*ids, ram_mib=ram_mib), shape)
    for some in combinations(ids, len(ids) - 1):
        other = planned(box(*some, ram_mib=ram_mib), shape)
        if other.refusal is not None:
            continue
        assert made.refusal is None, (some, made.refusal)
        decode, prefill = speeds(made)
        slower = decode < 0.95 * speeds(other)[0] and prefill < 0.95 * speeds(other)[1]
        assert not slower, (some, speeds(made), speeds(other))

"""Where weights go: all on GPUs, experts in host RAM, or the processor; and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.machine import Machine
from boxwright.plan import Plan
from boxwright.shapes import ModelShape
from tests.unit.plans import (
    AMPERE,
    PASCAL,
    gpu,
    layers,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    refused,
    tiny,
    value_of,
)


def box(ram_mib: int, *vram_mib: int, id: str = AMPERE, **changes: Any) -> Machine:
    """A machine with this much RAM, and cards of this much VRAM."""
    cards = [gpu(f"0000:{n:02x}:00.0", id, vram_mib=size) for n, size in enumerate(vram_mib, 1)]
    return machine("xeon", memory={"total_mib": ram_mib}, gpus=cards, **changes)


def test_all_on_the_card_where_it_fits() -> None:
    made = planned("pro6000", qwen35_122b())
    assert made.refusal is None and made.placement is not None
    assert (made.placement.gpu_layers, made.placement.cpu_moe) == ("all", False)
    assert made.placement.tensor_split is None


@pytest.mark.parametrize("name", ["xeon", "ryzen"])
def test_the_article_s_layout_is_made_where_it_is_asked_for(name: str) -> None:
    made = planned(name, qwen35_122b(), server_placement="cpu-moe")
    assert made.refusal is None and made.placement is not None
    assert (made.placement.gpu_layers, made.placement.cpu_moe) == ("all", True)
    assert made.placement.tensor_split == ((1, 1) if name == "xeon" else None)


def test_else_one_card_takes_the_experts_of_the_last_layers_until_it_is_full() -> None:
    made, shape = planned("ryzen", qwen35_122b()), qwen35_122b()
    assert made.placement is not None and made.memory is not None
    count = made.placement.n_cpu_moe
    assert count is not None and 0 < count < 48 and not made.placement.cpu_moe
    assert value_of(made, "--n-cpu-moe") == str(count)
    (device,) = made.memory.devices
    assert device.need_mib <= device.total_mib
    one_more = planned("ryzen", shape, server_n_cpu_moe=count - 1).memory
    assert one_more is not None and one_more.devices[0].need_mib > device.total_mib
    assert made.memory.host.model_mib < 62980 - (48 - count - 1) * 1296


def experts_by_card(made: Plan, cards: int) -> list[int]:
    """How many layers keep their experts on each card, from the arguments alone."""
    found = re.fullmatch(
        r"blk\\\.\((?P<host>[0-9|]+)\)\\\.ffn_\(up\|down\|gate\|gate_up\)_\(ch\|\)exps=CPU",
        value_of(made, "--override-tensor"),
    )
    assert found is not None
    on_host = {int(number) for number in found["host"].split("|")}
    shares = [float(share) for share in value_of(made, "--tensor-split").split(",")]
    borders = [sum(shares[: n + 1]) / sum(shares) for n in range(cards)]
    kept = [0] * cards
    for layer in set(range(48)) - on_host:
        kept[next(n for n, border in enumerate(borders) if layer / 49 < border)] += 1
    return kept


def test_several_cards_share_the_experts_evenly_and_the_first_keeps_room_for_prefill() -> None:
    made = planned("xeon", qwen35_122b())
    first, second = experts_by_card(made, 2)
    assert 5 <= first <= second <= first + 3
    assert made.memory is not None
    for device in made.memory.devices:
        assert device.total_mib - 2000 < device.need_mib <= device.total_mib


@pytest.mark.parametrize("cards", [(24576, 12288), (12288, 24576), (32607, 16384, 8192)])
def test_unequal_cards_are_all_filled_to_less_than_one_more_layer(cards: tuple[int, ...]) -> None:
    made = planned(box(128000, *cards), qwen35_122b())
    assert made.refusal is None and made.memory is not None
    layer_mib = qwen35_122b().layers[0].expert_bytes // 2**20
    for device in made.memory.devices:
        assert device.total_mib - layer_mib - 64 < device.need_mib <= device.total_mib


def test_experts_on_a_card_make_room_in_host_ram() -> None:
    """64 GB of RAM are too few for all experts (design's article model), not beside 16 GB of VRAM.

    Source: issue 4, "Qwen3.5-122B Q4_K_M refused on 64 GB RAM with an 8 GB card or with --cpu-moe,
    placed with a 16 GB card".
    """
    assert planned(box(64000, 16384), qwen35_122b()).refusal is None
    assert planned(box(64000, 8192), qwen35_122b()).refusal is not None
    alone = planned(box(64000, 16384), qwen35_122b(), server_placement="cpu-moe")
    assert alone.refusal is not None


def test_a_layer_that_only_drafts_takes_no_experts() -> None:
    """GLM-4.5-Air's last layer is counted when layers are spread, and is not loaded."""
    whole = qwen35_122b()
    drafting = replace(whole, layers=whole.layers[:-1], metadata={"qwen35moe.block_count": 48})
    for name in ("ryzen", "xeon"):
        placement = planned(name, drafting).placement
        assert placement is not None and placement.host_expert_layers < 47
        asked = planned(name, drafting, server_placement="cpu-moe").placement
        assert asked is not None and (asked.cpu_moe, asked.host_expert_layers) == (True, 47)


def test_a_dense_model_goes_to_the_card_as_far_as_it_goes() -> None:
    shape = replace(tiny(), layers=layers(40, dense=500, kv=512))
    made = planned(box(64000, 12000), shape)
    assert made.refusal is None and made.placement is not None and made.memory is not None
    count = made.placement.gpu_layers
    assert isinstance(count, int) and 10 < count < 24
    device = made.memory.devices[0]
    assert device.need_mib <= 12000 < device.need_mib + 500
    assert made.memory.host.context_mib > 0


def test_unequal_cards_get_unequal_shares_that_fit() -> None:
    made = planned(box(64000, 24000, 8000), replace(tiny(), layers=layers(40, dense=600, kv=512)))
    assert made.refusal is None and made.placement is not None and made.memory is not None
    first, second = made.memory.devices
    assert first.model_mib > 2 * second.model_mib
    assert all(device.need_mib <= device.total_mib for device in made.memory.devices)
    assert made.placement.tensor_split is not None
    assert sum(made.placement.tensor_split) == 41


def test_without_a_card_all_is_the_host_s() -> None:
    made = planned("plain")
    assert made.refusal is None and made.placement is not None and made.memory is not None
    assert (made.placement.gpu_layers, made.placement.cpu_moe) == (0, False)
    assert made.memory.devices == ()
    assert made.server is not None and "--n-gpu-layers" not in made.server.args


def test_placement_on_the_processor_leaves_cards_alone() -> None:
    made = planned("xeon", server_placement="cpu")
    assert made.refusal is None and made.driver is None
    assert made.runtime is not None and made.runtime.cuda is None
    assert any("left alone" in warning for warning in made.warnings)
    none = planned("xeon", gpu_count=0)
    assert none.driver is None and none.refusal is None


def test_what_is_forced_is_done_as_asked() -> None:
    made = planned("xeon", qwen35_122b(), server_n_cpu_moe=47, server_tensor_split=(1.0, 3.0))
    assert made.refusal is None
    assert value_of(made, "--n-cpu-moe") == "47" and value_of(made, "--tensor-split") == "1,3"
    assert made.server is not None and "--cpu-moe" not in made.server.args
    forced = planned("pro6000", qwen35_122b(), server_placement="cpu-moe")
    assert forced.placement is not None and forced.placement.cpu_moe
    assert planned("ryzen", qwen35_122b(), server_placement="gpu").refusal is not None


def test_gpu_count_takes_the_first_cards_and_the_driver_still_serves_all() -> None:
    made = planned("xeon", gpu_count=1)
    assert made.memory is not None and made.server is not None
    assert [device.pci for device in made.memory.devices] == ["0000:03:00.0"]
    assert made.server.environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert "gpu_count" in refused(planned("xeon", gpu_count=3))


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"server_placement": "everywhere"}, "server_placement"),
        ({"server_tensor_split": (1.0, 1.0, 1.0)}, "server_tensor_split"),
        ({"server_tensor_split": (0.0, 0.0)}, "server_tensor_split"),
        ({"server_tensor_split": (-1.0, 2.0)}, "server_tensor_split"),
        ({"server_n_cpu_moe": 3, "server_placement": "cpu-moe"}, "server_n_cpu_moe"),
        ({"server_tensor_split": (float("nan"), 1.0)}, "server_tensor_split"),
        ({"server_tensor_split": (float("inf"), 1.0)}, "server_tensor_split"),
        ({"server_n_cpu_moe": -1}, "server_n_cpu_moe"),
        ({"server_n_cpu_moe": 3, "server_placement": "gpu"}, "server_n_cpu_moe"),
        ({"server_n_cpu_moe": 3, "server_placement": "cpu"}, "server_n_cpu_moe"),
    ],
)
def test_contradictory_wishes(wishes: dict[str, Any], named: str) -> None:
    assert named in refused(planned("xeon", qwen35_122b(), **wishes))


def test_without_cards_the_experts_of_all_layers_are_told_to_lie_in_host_ram() -> None:
    made = planned("plain", qwen35_122b())
    assert made.placement is not None
    assert (made.placement.gpu_layers, made.placement.host_expert_layers) == (0, 48)
    dense = planned("plain", tiny())
    assert dense.placement is not None and dense.placement.host_expert_layers == 0


@pytest.mark.parametrize(("name", "placement"), [("plain", "auto"), ("xeon", "gpu")])
def test_what_cures_an_n_cpu_moe_out_of_place_is_accepted(name: str, placement: str) -> None:
    """A host without cards cannot be told to set what is set."""
    wishes: dict[str, Any] = {"server_n_cpu_moe": 20, "server_placement": placement}
    clauses = refused(planned(name, qwen35_122b(), **wishes)).split("Cure: ")[1]
    assert ("set server_placement to auto" in clauses) == (placement != "auto")
    assert "leave server_n_cpu_moe unset" in clauses


@pytest.mark.parametrize(
    ("ids", "said"), [([PASCAL], "1 NVIDIA card is"), ([PASCAL] * 2, "2 NVIDIA cards are")]
)
def test_one_card_is_spoken_of_as_one(ids: list[str], said: str) -> None:
    cards = [gpu(f"0000:{slot:02x}:00.0", id) for slot, id in enumerate(ids, 1)]
    made = planned(machine("xeon", gpus=cards), server_placement="cpu")
    assert f"{said} left alone, as placement on the CPU asks." in made.warnings


def test_wishes_for_experts_that_a_dense_model_does_not_have() -> None:
    assert "no experts" in refused(planned("xeon", server_placement="cpu-moe"))
    assert "server_n_cpu_moe" in refused(planned("xeon", server_n_cpu_moe=1))
    assert "server_placement" in refused(planned("plain", server_placement="gpu"))


def test_a_model_that_does_not_fit_is_refused_with_numbers_and_its_memory_is_given() -> None:
    made = planned(box(64000, 16384, 16384, id=PASCAL), minimax_m2())
    sentence = refused(made)
    assert made.memory is not None
    assert f"{made.memory.host.need_mib} MiB of host RAM, has 64000" in sentence
    assert "GiB of RAM" in sentence and "quant" in sentence
    assert planned("ryzen", minimax_m2()).refusal is None


def test_what_is_locked_leaves_the_system_its_reserve() -> None:
    shape = qwen35_122b()
    need = planned("xeon", shape, server_placement="cpu-moe").memory
    assert need is not None

    def on(ram_mib: int) -> Plan:
        cards = box(ram_mib, 16384, 16384, id=PASCAL)
        return planned(cards, shape, server_placement="cpu-moe")

    assert on(need.host.need_mib).refusal is None
    assert on(need.host.need_mib - 1).refusal is not None


def test_vram_that_others_hold_counts_and_our_own_service_s_does_not() -> None:
    def held(used: int | None, ours: int | None, service: str = "absent") -> Plan:
        cards = [
            gpu("0000:01:00.0", AMPERE, vram_mib=24576, vram_used_mib=used,
                vram_used_by_service_mib=ours)
        ]  # fmt: skip
        return planned(machine("xeon", gpus=cards, llama={"service": service}))

    sentence = refused(held(23000, 0))
    assert "23000 MiB" in sentence and "VRAM" in sentence
    assert held(23000, 22900).refusal is None
    assert held(23000, None, service="active").refusal is None
    assert held(300, 0).refusal is None


GROUPS = st.sampled_from([qwen35_122b(), minimax_m2(), tiny()])
CARDS = st.lists(st.sampled_from([8192, 11264, 16384, 24576, 49152, 98304]), max_size=4)
SIZES = st.fixed_dictionaries(
    {
        "server_context": st.integers(1, 262144),
        "server_cache_type": st.sampled_from(["f16", "q8_0", "q4_0"]),
        "server_ubatch": st.sampled_from([128, 512, 2048]),
        "server_parallel": st.integers(1, 8),
        "server_placement": st.sampled_from(["auto", "auto", "gpu", "cpu-moe", "cpu"]),
        "server_cache_ram_mib": st.sampled_from([0, 2048, 8192]),
    }
)


@settings(max_examples=60, deadline=None)
@given(shape=GROUPS, cards=CARDS, ram_mib=st.integers(2000, 300000), sizes=SIZES)
def test_a_plan_that_is_not_refused_never_exceeds_a_device_or_the_host(
    shape: ModelShape, cards: list[int], ram_mib: int, sizes: dict[str, Any]
) -> None:
    made = planned(box(ram_mib, *cards), shape, **sizes)
    if made.refusal is not None:
        assert made.refusal.cure
        return
    assert made.memory is not None and made.server is not None and made.placement is not None
    for device in made.memory.devices:
        assert device.need_mib <= device.total_mib
    assert made.memory.host.need_mib <= made.memory.host.total_mib == ram_mib
    split = made.placement.tensor_split
    assert split is None or len(split) == len(made.memory.devices)


@settings(max_examples=40, deadline=None)
@given(shape=GROUPS, cards=CARDS, ram_mib=st.integers(2000, 200000), more=st.integers(1, 90000))
def test_more_memory_is_never_worse(
    shape: ModelShape, cards: list[int], ram_mib: int, more: int
) -> None:
    small = planned(box(ram_mib, *cards), shape)
    large = planned(box(ram_mib + 16 * more, *(size + more for size in cards)), shape)
    if small.refusal is None:
        assert large.refusal is None
        assert small.memory is not None and large.memory is not None
        assert large.memory.host.model_mib <= small.memory.host.model_mib


@settings(max_examples=30, deadline=None)
@given(ram_mib=st.integers(8000, 140000))
def test_the_cure_of_too_little_ram_is_true(ram_mib: int) -> None:
    made = planned(box(ram_mib, 24576, 24576), minimax_m2())
    if made.refusal is None:
        return
    add_gib = int(made.refusal.cure.split(" GiB of RAM")[0].split()[-1])
    assert planned(box(ram_mib + add_gib * 1024, 24576, 24576), minimax_m2()).refusal is None


def test_more_layers_than_there_are_is_all_of_them_as_llama_cpp_takes_it() -> None:
    made = planned("xeon", qwen35_122b(), server_n_cpu_moe=99)
    every = planned("xeon", qwen35_122b(), server_placement="cpu-moe")
    assert made.refusal is None and made.memory == every.memory
    assert value_of(made, "--n-cpu-moe") == "99"


def test_a_report_in_another_order_is_counted_as_cuda_counts() -> None:
    cards = [
        gpu("0000:82:00.0", AMPERE, vram_mib=12288),
        gpu("0000:03:00.0", AMPERE, vram_mib=24576),
    ]
    made = planned(machine("xeon", gpus=cards), qwen35_122b())
    assert made.memory is not None and made.placement is not None
    assert [device.pci for device in made.memory.devices] == ["0000:82:00.0", "0000:03:00.0"]
    small, large = made.memory.devices
    assert small.need_mib <= 12288 < large.need_mib <= 24576
    assert made.placement.tensor_split is not None
    first, second = made.placement.tensor_split
    assert first > second, "CUDA's first card is the one at 03, which is the larger"
    one = planned(machine("xeon", gpus=cards), gpu_count=1)
    assert one.memory is not None and one.server is not None
    assert [device.pci for device in one.memory.devices] == ["0000:03:00.0"]
    assert one.server.environment["CUDA_VISIBLE_DEVICES"] == "0"


def test_memory_is_told_where_only_the_system_is_not_supported() -> None:
    made = planned(machine("xeon", os={"id": "arch", "version_id": ""}), qwen35_122b())
    assert "arch" in refused(made)
    assert made.memory is not None and made.driver is None


def test_less_context_is_a_cure_only_where_context_is_what_lacks_room() -> None:
    long = planned(box(128000, 12288), minimax_m2(), server_context=131072)
    assert "lower server_context" in refused(long)
    heavy = planned(box(64000, 24576), minimax_m2())
    assert "lower server_context" not in refused(heavy)


def test_what_a_driver_prints_that_is_no_capability_counts_as_nothing() -> None:
    cards = [gpu("0000:01:00.0", PASCAL, vram_mib=16384, compute_cap="[N/A]")]
    assert planned(machine("xeon", gpus=cards)).refusal is None

"""Where weights go: all on GPUs, experts in host RAM, or the processor."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from boxwright.plan import Plan
from tests.integration.plan_boxes import with_ram
from tests.unit.plans import (
    AMPERE,
    PASCAL,
    gpu,
    layers,
    machine,
    planned,
    qwen35_122b,
    tiny,
    value_of,
)


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
    made = planned(with_ram(128000, *cards), qwen35_122b())
    assert made.refusal is None and made.memory is not None
    layer_mib = qwen35_122b().layers[0].expert_bytes // 2**20
    for device in made.memory.devices:
        assert device.total_mib - layer_mib - 64 < device.need_mib <= device.total_mib


def test_experts_on_a_card_make_room_in_host_ram() -> None:
    """64 GB of RAM are too few for all experts (design's article model), not beside 16 GB of VRAM.

    Source: issue 4, "Qwen3.5-122B Q4_K_M refused on 64 GB RAM with an 8 GB card or with --cpu-moe,
    placed with a 16 GB card".
    """
    assert planned(with_ram(64000, 16384), qwen35_122b()).refusal is None
    assert planned(with_ram(64000, 8192), qwen35_122b()).refusal is not None
    alone = planned(with_ram(64000, 16384), qwen35_122b(), server_placement="cpu-moe")
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
    made = planned(with_ram(64000, 12000), shape)
    assert made.refusal is None and made.placement is not None and made.memory is not None
    count = made.placement.gpu_layers
    assert isinstance(count, int) and 10 < count < 24
    device = made.memory.devices[0]
    assert device.need_mib <= 12000 < device.need_mib + 500
    assert made.memory.host.context_mib > 0


def test_unequal_cards_get_unequal_shares_that_fit() -> None:
    made = planned(
        with_ram(64000, 24000, 8000), replace(tiny(), layers=layers(40, dense=600, kv=512))
    )
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


def test_what_a_driver_prints_that_is_no_capability_counts_as_nothing() -> None:
    cards = [gpu("0000:01:00.0", PASCAL, vram_mib=16384, compute_cap="[N/A]")]
    assert planned(machine("xeon", gpus=cards)).refusal is None

"""What fits and what does not: nothing is exceeded, more memory is never worse, cures are true."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.plan import Plan
from boxwright.shapes import ModelShape
from tests.integration.plan_boxes import with_ram
from tests.unit.plans import (
    AMPERE,
    PASCAL,
    gpu,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    refused,
    tiny,
)


def test_a_model_that_does_not_fit_is_refused_with_numbers_and_its_memory_is_given() -> None:
    made = planned(with_ram(64000, 16384, 16384, id=PASCAL), minimax_m2())
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
        cards = with_ram(ram_mib, 16384, 16384, id=PASCAL)
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
    made = planned(with_ram(ram_mib, *cards), shape, **sizes)
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
    small = planned(with_ram(ram_mib, *cards), shape)
    large = planned(with_ram(ram_mib + 16 * more, *(size + more for size in cards)), shape)
    if small.refusal is None:
        assert large.refusal is None
        assert small.memory is not None and large.memory is not None
        assert large.memory.host.model_mib <= small.memory.host.model_mib


@settings(max_examples=30, deadline=None)
@given(ram_mib=st.integers(8000, 140000))
def test_the_cure_of_too_little_ram_is_true(ram_mib: int) -> None:
    made = planned(with_ram(ram_mib, 24576, 24576), minimax_m2())
    if made.refusal is None:
        return
    add_gib = int(made.refusal.cure.split(" GiB of RAM")[0].split()[-1])
    assert planned(with_ram(ram_mib + add_gib * 1024, 24576, 24576), minimax_m2()).refusal is None


def test_memory_is_told_where_only_the_system_is_not_supported() -> None:
    made = planned(machine("xeon", os={"id": "arch", "version_id": ""}), qwen35_122b())
    assert "arch" in refused(made)
    assert made.memory is not None and made.driver is None


def test_less_context_is_a_cure_only_where_context_is_what_lacks_room() -> None:
    long = planned(with_ram(128000, 12288), minimax_m2(), server_context=131072)
    assert "lower server_context" in refused(long)
    heavy = planned(with_ram(64000, 24576), minimax_m2())
    assert "lower server_context" not in refused(heavy)

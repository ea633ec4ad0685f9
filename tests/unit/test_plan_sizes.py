"""Sizes that are left to the plan, profiles, several users, and the expert cache."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plans import (
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    refused,
    tiny,
    value_of,
)


def need_mib(made: Any) -> list[int]:
    return [device.need_mib for device in made.memory.devices]


def test_a_context_of_zero_is_the_largest_that_fits_with_all_experts_in_host_ram() -> None:
    made = planned("ryzen", minimax_m2(), server_context=0, server_cache_type="f16")
    assert made.refusal is None
    tokens = int(value_of(made, "--ctx-size"))
    assert 80_000 < tokens < 140_000 and tokens % 1024 == 0
    assert made.placement is not None and made.placement.gpu_layers == "all"
    more = planned("ryzen", minimax_m2(), server_context=tokens + 2048, server_cache_type="f16")
    assert more.placement is not None and more.placement.gpu_layers != "all"


def test_a_context_of_zero_stops_at_what_the_model_was_trained_with() -> None:
    made = planned("ryzen", qwen35_122b(), server_context=0)
    assert value_of(made, "--ctx-size") == "262144"
    two = planned("pro6000", tiny(), server_context=0, server_parallel=2)
    assert value_of(two, "--ctx-size") == str(2 * 131072)


def test_a_context_of_zero_is_never_silently_small() -> None:
    small = machine("ryzen", memory={"total_mib": 128000}, gpus=[_card(5000)])
    made = planned(small, minimax_m2(), server_context=0)
    assert "4096 tokens" in refused(made)


def _card(vram_mib: int) -> dict[str, Any]:
    return {"pci": "0000:01:00.0", "id": "10de:2204", "class": "0x030000", "vram_mib": vram_mib}


def test_a_ubatch_of_zero_takes_what_is_left_and_no_experts_room() -> None:
    usual = planned("ryzen", qwen35_122b())
    free = planned("ryzen", qwen35_122b(), server_ubatch=0)
    assert free.placement == usual.placement
    assert int(value_of(free, "--ubatch-size")) >= 512
    alone = planned("pro6000", tiny(), server_ubatch=0)
    assert value_of(alone, "--ubatch-size") == "4096" and value_of(alone, "--batch-size") == "4096"


def test_prefill_takes_the_largest_batch_that_fits_at_all() -> None:
    made = planned("ryzen", qwen35_122b(), server_profile="prefill")
    assert value_of(made, "--ubatch-size") == "4096"
    assert made.memory is not None
    assert all(n <= d.total_mib for n, d in zip(need_mib(made), made.memory.devices, strict=True))
    asked = planned("ryzen", qwen35_122b(), server_profile="prefill", server_ubatch=1024)
    assert value_of(asked, "--ubatch-size") == "1024"


def test_a_logical_batch_that_was_set_bounds_the_physical_one() -> None:
    sentence = refused(planned("ryzen", server_batch=1024, server_ubatch=2048))
    assert "lower server_ubatch to 1024" in sentence
    assert "lower server_ubatch to 256" in refused(planned("ryzen", server_batch=256))
    free = planned("pro6000", tiny(), server_batch=1024, server_ubatch=0)
    assert value_of(free, "--batch-size") == value_of(free, "--ubatch-size") == "1024"
    for profile in ("balanced", "prefill"):
        wishes: dict[str, Any] = {
            "server_batch": 256,
            "server_ubatch": 0,
            "server_profile": profile,
        }
        small = planned("ryzen", qwen35_122b(), **wishes)
        assert value_of(small, "--batch-size") == value_of(small, "--ubatch-size") == "256"
    # the default gives way: llama-server would cut a larger physical batch down to it
    larger = planned("pro6000", tiny(), server_ubatch=4096)
    assert value_of(larger, "--batch-size") == "4096"


@pytest.mark.parametrize("batch", [0, -5])
def test_a_batch_that_cannot_be_is_never_named_in_a_cure(batch: int) -> None:
    sentence = refused(planned("ryzen", server_batch=batch))
    assert "needs 1 to" in sentence and "correct server_batch" in sentence


@pytest.mark.parametrize(
    ("name", "profile", "load_mode", "policy", "drops"),
    [
        ("xeon", "balanced", "mlock", None, False),
        ("xeon", "decode", "mmap", None, True),
        ("xeon", "prefill", "none", "interleave", False),
        ("ryzen", "balanced", "mlock", None, False),
        ("ryzen", "decode", "mlock", None, False),
        ("ryzen", "prefill", "none", None, False),
        ("plain", "prefill", "mlock", None, False),
    ],
)
def test_what_a_profile_means_depends_on_nodes_and_cards(
    name: str, profile: str, load_mode: str, policy: str | None, drops: bool
) -> None:
    made = planned(name, server_profile=profile)
    assert made.server is not None
    assert value_of(made, "--load-mode") == load_mode
    assert (made.server.numa_policy, made.server.drop_caches) == (policy, drops)
    forced = planned(name, server_profile=profile, server_load_mode="dio")
    assert value_of(forced, "--load-mode") == "dio"


def test_a_profile_that_is_none_is_refused() -> None:
    assert "balanced, decode, prefill" in refused(planned("xeon", server_profile="fast"))


def test_several_users_are_told_what_each_of_them_gets() -> None:
    made = planned("pro6000", server_parallel=4)
    assert any("4 users share 32768" in said and "8192 each" in said for said in made.warnings)
    assert planned("pro6000").warnings == ()


def test_the_expert_cache_is_counted_and_only_taken_where_experts_are_in_host_ram() -> None:
    plain = planned("xeon", qwen35_122b(), server_placement="cpu-moe")
    cached = planned("xeon", qwen35_122b(), server_placement="cpu-moe", server_moe_cache_mib=4800)
    assert value_of(cached, "--moe-cache-mib") == "4800"
    more = [a - b for a, b in zip(need_mib(cached), need_mib(plain), strict=True)]
    assert sum(more) == pytest.approx(4800, abs=2) and min(more) > 2000
    whole = planned("pro6000", qwen35_122b(), server_moe_cache_mib=4800)
    assert whole.server is not None and "--moe-cache-mib" not in whole.server.args
    old = planned(
        "xeon", qwen35_122b(), server_placement="cpu-moe", server_moe_cache_mib=4800,
        runtime_build="b11434",
    )  # fmt: skip
    assert "leave server_moe_cache_mib unset" in refused(old)
    assert "server_moe_cache_mib" in refused(planned("xeon", server_moe_cache_mib=0))

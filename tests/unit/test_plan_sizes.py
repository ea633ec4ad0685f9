"""Sizes that are left to the plan, profiles, the expert cache, and arguments that contradict it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from boxwright.plan import own_flags, own_variables
from tests.unit.plans import (
    HELP,
    flags,
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


@pytest.mark.parametrize(
    ("wishes", "cure"),
    [
        ({"server_moe_cache_mib": 4800}, "leave server_moe_cache_mib unset"),
        ({"server_extra_args": ("--foo", "1")}, "take --foo out of server_extra_args"),
        (
            {"server_extra_args": ("--foo",), "server_moe_cache_mib": 4800},
            "take --foo out of server_extra_args and leave server_moe_cache_mib unset",
        ),
    ],
)
def test_flags_that_a_build_lacks_are_cured_where_they_come_from(
    wishes: dict[str, Any], cure: str
) -> None:
    wishes = {**wishes, "server_placement": "cpu-moe"}
    usual = planned("xeon", qwen35_122b())
    assert usual.runtime is not None
    known = {"flags_by_release": {usual.runtime.release: flags("b10434")}}
    made = planned("xeon", qwen35_122b(), known, **wishes)
    assert made.refusal is not None
    assert made.refusal.cure == f"{cure}, or choose another runtime_build"
    known = {"flags_by_release": {usual.runtime.release: frozenset({"--model"})}}
    bare = planned("xeon", qwen35_122b(), known, **wishes)
    assert bare.refusal is not None and bare.refusal.cure == "choose another runtime_build"


@pytest.mark.parametrize(
    ("word", "option"),
    [
        ("--ctx-size", "server_context"),
        ("-c", "server_context"),
        ("-ngl", "server_placement"),
        ("--fit", "server_placement"),
        ("--mlock", "server_load_mode"),
        ("--api-key", "server_api_key_file"),
        ("--ubatch-size=4096", "server_ubatch"),
        ("--ctx_size", "server_context"),
        ("-dr", "model"),
        ("--gpt-oss-20b-default", "model"),
        ("--fim-qwen-7b-spec", "model"),
        ("--repack", "server_load_mode"),
    ],
)
def test_an_argument_that_the_plan_decides_is_refused_with_its_option(
    word: str, option: str
) -> None:
    sentence = refused(planned("xeon", server_extra_args=(word, "1")))
    assert word.split("=")[0] in sentence and option in sentence


def test_a_value_behind_an_equals_sign_is_refused_as_llama_server_does_not_split_there() -> None:
    sentence = refused(planned("xeon", server_extra_args=("--top-k=5",)))
    assert "--top-k=5" in sentence and "write two arguments: '--top-k', '5'" in sentence
    assert planned("xeon", server_extra_args=("--top-k", "5")).refusal is None


@pytest.mark.parametrize("word", ["--api-prefix", "--ssl-key-file", "--ssl_cert_file"])
def test_a_server_that_a_run_could_not_ask_is_refused(word: str) -> None:
    assert f"take {word} out" in refused(planned("xeon", server_extra_args=(word, "/x")))


SPECULATION = {"--spec-default"}  # of all presets the one that takes no model of its own


@pytest.mark.parametrize("build", ["b10068", "b10434", "b11669"])
def test_a_listed_flag_is_listed_in_all_its_spellings(build: str) -> None:
    groups = own_flags.OPTION_OF.keys(), own_flags.UNCOUNTED, own_flags.UNASKABLE
    for line in (HELP / f"{build}.txt").read_text().splitlines():
        head = re.match(r"-[\w.-]+(,\s+-[\w.-]+)*", line)
        spellings = set(re.split(r",\s+", head[0])) if head else set()
        for group in groups:
            assert not spellings & group or spellings <= group, spellings - group
        for preset in filter(re.compile(r".*-(default|spec)").fullmatch, spellings - SPECULATION):
            assert "option model" in refused(planned("xeon", server_extra_args=(preset,)))


def test_other_arguments_are_taken() -> None:
    made = planned("xeon", server_extra_args=("--reasoning-format", "none"))
    assert made.refusal is None and value_of(made, "--reasoning-format") == "none"


@pytest.mark.parametrize("word", ["--mmproj", "--model-draft", "--rpc", "--lora_scaled", "-hfrd"])
def test_an_argument_whose_memory_is_not_counted_is_told(word: str) -> None:
    made = planned("xeon", server_extra_args=(word, "/srv/x.gguf"))
    flag = word.replace("_", "-")
    assert any(flag in said and "does not count" in said for said in made.warnings)


def test_metadata_that_are_overridden_are_told_not_to_be_planned_with() -> None:
    extra = ("--override-kv", "qwen35moe.expert_used_count=int:16")
    made = planned("xeon", server_extra_args=extra)
    assert made.refusal is None
    assert any("--override-kv" in said and "own header" in said for said in made.warnings)


@pytest.mark.parametrize("word", ["--flash-attn", "--device", "-hf", "--no-kv-offload"])
def test_what_would_change_the_layout_behind_the_plan_is_refused(word: str) -> None:
    assert word in refused(planned("xeon", server_extra_args=(word, "off")))


def variables_of(build: str) -> dict[str, set[str]]:
    """The variables that a build's recorded `--help` names, each with its flags."""
    found: dict[str, set[str]] = {}
    words: set[str] = set()
    for line in (HELP / f"{build}.txt").read_text().splitlines():
        if line.startswith("-"):
            words = {word for word in line.replace(",", " ").split() if word.startswith("-")}
        if named := re.search(r"\(env: (\w+)\)", line):
            found[named[1]] = words
    return found


@pytest.mark.parametrize("build", ["b10068", "b10434", "b11669"])
def test_a_variable_is_treated_as_its_flag_is(build: str) -> None:
    for variable, words in variables_of(build).items():
        by_flag = {own_flags.OPTION_OF[word] for word in words if word in own_flags.OPTION_OF}
        if by_flag:
            sentence = refused(planned("xeon", server_environment={variable: "1"}))
            assert variable in sentence and own_variables.OPTION_OF[variable] in by_flag
        elif words & own_flags.UNASKABLE:
            sentence = refused(planned("xeon", server_environment={variable: "1"}))
            assert f"take {variable} out" in sentence
        elif words & own_flags.UNCOUNTED:
            made = planned("xeon", server_environment={variable: "1"})
            assert made.refusal is None
            assert any(variable in said and "does not count" in said for said in made.warnings)


def test_variables_that_choose_cards_behind_the_plan_are_refused() -> None:
    sentence = refused(planned("xeon", server_environment={"CUDA_VISIBLE_DEVICES": "1"}))
    assert "ignore_gpus" in sentence

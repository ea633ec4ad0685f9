"""Arguments and variables that a user adds: what they may not say, and what is told of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from boxwright.plan import own_flags, own_variables
from tests.unit.plans import (
    HELP,
    flags,
    planned,
    qwen35_122b,
    refused,
    value_of,
)


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

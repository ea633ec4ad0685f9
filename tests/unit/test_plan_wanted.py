"""Wishes read from an inventory's data: what cannot be meant is told, with the option's name."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boxwright import catalog, plan
from boxwright.plan import Known, Wanted
from boxwright.plan.wanted import WantedError, wanted_from
from tests.unit.plans import machine, planned, qwen35_122b, refused, tiny

XEONS_CARDS = ("0000:03:00.0", "0000:82:00.0")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("/srv/models", "/srv/models"),
        ("/srv/models/", "/srv/models"),
        ("/mnt//My Models/.", "/mnt/My Models"),
    ],
)
def test_directories_are_paths_without_what_says_nothing(given: str, meant: str) -> None:
    wanted = wanted_from({"models_directory": given, "runtime_directory": given})
    assert (wanted.models_directory, wanted.runtime_directory) == (meant, meant)


@pytest.mark.parametrize("name", ["models_directory", "runtime_directory"])
@pytest.mark.parametrize("path", ["", "models", "~/models", "/srv/../etc", "/srv/a\nb"])
def test_a_directory_that_cannot_be_meant_is_told_with_its_option(name: str, path: str) -> None:
    with pytest.raises(WantedError, match=f"option {name} is .* absolute path"):
        wanted_from({name: path})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("server_tensor_split", "3,2", "a list, each of it a number or None"),
        ("server_tensor_split", ["3", "2"], "a list, each of it a number or None"),
        ("server_n_cpu_moe", "20", "a whole number or None"),
        ("server_n_cpu_moe", True, "a whole number or None"),
        ("gpu_count", "1", "a whole number or None"),
        ("server_context_checkpoints", "3", "a whole number or None"),
        ("server_moe_cache_mib", "2048", "a whole number or None"),
        ("server_numa", 1, "text or None"),
        ("gpu_vram_mib", {XEONS_CARDS[0]: "8192"}, "a mapping of text to a whole number"),
        ("server_environment", {"GGML_VK_VISIBLE_DEVICES": 0}, "a mapping of text to text"),
        ("server_extra_args", "--foo", "a list, each of it text"),
        ("runtime_asset_rows", ["x"], "a list, each of it a mapping of text to anything"),
        ("driver_key_enrolled", 1, "True or False"),
        ("model_min_decode_tok_s", "5", "a number"),
    ],
)
def test_a_value_of_another_type_is_told_with_what_it_has_to_be(
    name: str, value: Any, kind: str
) -> None:
    with pytest.raises(WantedError, match=rf"option {name} is .*; it has to be {kind}$"):
        wanted_from({name: value})


def test_values_of_the_type_that_is_meant_are_taken() -> None:
    given: dict[str, Any] = {
        "server_tensor_split": [3, 2.5], "server_n_cpu_moe": 20, "gpu_count": None,
        "gpu_vram_mib": {XEONS_CARDS[0]: 8192}, "model_min_decode_tok_s": 5, "server_port": None,
        "models_catalog": {"mine": {"quants": {}}}, "unknown_option": object(),
    }  # fmt: skip
    wanted = wanted_from(given)
    assert wanted.server_tensor_split == (3, 2.5) and wanted.server_port == 8080
    assert (wanted.server_n_cpu_moe, wanted.gpu_count) == (20, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server_tensor_split", (1e-50, 1e-50)),
        ("server_tensor_split", (1e39, 1)),
        ("server_tensor_split", (10**400, 1)),
        ("gpu_count", -1),
        ("gpu_vram_mib", {XEONS_CARDS[1]: -5}),
        ("gpu_vram_mib", {XEONS_CARDS[1]: 0}),
        ("gpu_vram_mib", {XEONS_CARDS[1]: 10**400}),
        ("server_cache_ram_mib", 10**400),
        ("server_moe_cache_mib", 10**400),
    ],
)
def test_numbers_that_cannot_be_are_refused(name: str, value: Any) -> None:
    assert name in refused(planned("xeon", qwen35_122b(), **{name: value}))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70),
    st.sampled_from([512, 4096, 40000, 10**6, 2**31, 10**400]),
    st.floats(),
    st.sampled_from(["", "3,2", "auto", "gpu", "cpu", "cpu-moe", "f16", "prefill", "decode"]),
    st.lists(st.one_of(st.floats(0), st.integers(0, 3), st.text(max_size=3)), max_size=3),
    st.dictionaries(
        st.sampled_from(XEONS_CARDS), st.one_of(st.integers(), st.text(max_size=2)), max_size=2
    ),
)
OPTIONS = [item.name for item in fields(Wanted) if item.name != "server_api_key_set"]


NUMBERS = [item.name for item in fields(Wanted) if str(item.type).startswith("int")]
INTEGERS = st.one_of(st.integers(-1, 70), st.sampled_from([512, 4096, 40000, 10**6, 2**31 - 1]))


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["xeon", "ryzen", "plain"]),
    large=st.booleans(),
    options=st.one_of(
        st.dictionaries(st.sampled_from(OPTIONS), VALUES, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(NUMBERS), INTEGERS, min_size=1, max_size=5),
    ),
)
@example("xeon", True, {"server_tensor_split": [1e-50, 1e-50]})
@example("xeon", True, {"server_context_checkpoints": 10**6, "server_context": 10**6})
@example("xeon", True, {"server_cache_ram_mib": 2**31 - 1})
def test_planning_is_total_for_whatever_the_options_are(
    name: str, large: bool, options: dict[str, Any]
) -> None:
    """Any value of any option is told to be wrong, refused, or gives a plan."""
    try:
        wanted = wanted_from(options)
        known = catalog.load_with(wanted.models_catalog, wanted.runtime_asset_rows)
    except (WantedError, catalog.CatalogError) as error:
        assert any(option in str(error) for option in options)
        return
    made = plan.make(machine(name), known, wanted, Known(shape=qwen35_122b() if large else tiny()))
    json.dumps(plan.as_json(made), allow_nan=False)
    if made.refusal is not None:
        assert made.refusal.reason and made.refusal.cure

"""A user's rows over the packaged ones: spellings that are accepted, and sentences for the rest."""

from __future__ import annotations

from typing import Any

import pytest

from boxwright import catalog

MODEL = {"repository": "me/mine", "quants": {"Q8_0": {"files": ["a.gguf"]}}}


def test_a_model_with_sums_beside_its_files_as_the_hub_lists_them() -> None:
    row = {
        "repository": "me/mine",
        "quants": {"Q8_0": {"files": ["x/a.gguf", {"name": "x/b.gguf", "size_bytes": 5}]}},
        "sha256": {"x/a.gguf": "0" * 64},
        "size": {"x/a.gguf": 7, "x/b.gguf": 9},
        "commit": "is not asked for",
    }
    found = catalog.load_with({"mine": row}, ()).models["mine"]
    assert (found.default_quant, found.revision) == ("Q8_0", "main")
    first, second = found.quants["Q8_0"].files
    assert (first.name, first.sha256, first.size_bytes) == ("x/a.gguf", "0" * 64, 7)
    assert (second.sha256, second.size_bytes) == (None, 5)


def test_packaged_models_stay_beside_a_user_s_and_give_way_to_one_of_their_name() -> None:
    found = catalog.load_with({"gpt-oss-20b": MODEL}, ())
    assert found.models["gpt-oss-20b"].repository == "me/mine"
    assert "minimax-m2.7" in found.models
    assert catalog.load().models["gpt-oss-20b"].repository != "me/mine"


def test_an_asset_row_goes_before_the_packaged_ones_and_replaces_its_namesake() -> None:
    rows = (
        {"build": "b11669", "name": "mine.tar.gz", "cuda": None, "glibc": 2.31, "backend": "cpu"},
        {"asset": "llama-b11669-bin-ubuntu-x64.tar.gz", "cuda": None, "glibc": "2.17"},
    )
    found = catalog.load_with({}, rows).assets_of("b11669")
    assert [row.asset for row in found[:2]] == [
        "mine.tar.gz",
        "llama-b11669-bin-ubuntu-x64.tar.gz",
    ]
    assert (found[0].glibc, found[1].glibc) == ("2.31", "2.17")
    assert len(found) == 4
    assert "mine.tar.gz" not in [row.asset for row in catalog.load_with({}, rows).assets_of("b1")]


@pytest.mark.parametrize(
    ("models", "rows", "named"),
    [
        ({"mine": "text"}, (), "mine"),
        ({"mine": {"repository": "me/mine"}}, (), "quants"),
        ({"mine": {**MODEL, "quants": {}}}, (), "quants"),
        ({"mine": {"quants": MODEL["quants"]}}, (), "repository"),
        ({"mine": {**MODEL, "default_quant": "Q1"}}, (), "Q1"),
        ({"mine": {**MODEL, "quants": {"Q": {"files": "a.gguf"}}}}, (), "files"),
        ({"mine": {**MODEL, "quants": {"Q": {"files": ["../../etc/passwd"]}}}}, (), "passwd"),
        ({"mine": {**MODEL, "quants": {"Q": {"files": ["/etc/passwd"]}}}}, (), "passwd"),
        ({"mine": {**MODEL, "quants": {"Q": {"files": [{"x": 1}]}}}}, (), "name"),
        ({"mine": {**MODEL, "sha256": {"a.gguf": "12"}}}, (), "sha256"),
        ({"mine": {**MODEL, "sha256": ["12"]}}, (), "sha256"),
        ({}, ("text",), "asset"),
        ({}, ({"cuda": None, "glibc": "2.35"},), "asset"),
        ({}, ({"asset": "a", "cuda": "twelve", "glibc": "2.35"},), "cuda"),
        ({}, ({"asset": "a", "cuda": None},), "glibc"),
        ({}, ({"asset": "a", "cuda": "12.8", "glibc": "2.35", "archs": ["sm_61"]},), "archs"),
    ],
)
def test_a_row_that_cannot_be_meant_is_named(models: Any, rows: Any, named: str) -> None:
    with pytest.raises(catalog.CatalogError, match=named):
        catalog.load_with(models, rows)

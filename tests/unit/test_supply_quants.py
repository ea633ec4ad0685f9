"""Which files of a repository are the chosen quant; repositories are listed as they really are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from boxwright.plan.known import ModelChoice
from boxwright.supply.quants import Listed, choose_files
from boxwright.supply.results import SupplyError

CHOICE = ModelChoice(name="m", quant="Q4_K_M", repository="lab/m-GGUF", revision="main")


def shards(path: str, count: int) -> list[str]:
    return [f"{path}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]


# unsloth/MiniMax-M2.7-GGUF and the like: one directory per quant, dynamic quants beside plain ones
UNSLOTH = [
    *shards("Q4_K_M/M-Q4_K_M", 3),
    *shards("UD-Q4_K_M/M-UD-Q4_K_M", 4),
    *shards("UD-Q4_K_XL/M-UD-Q4_K_XL", 2),
    *shards("Q8_0/M-Q8_0", 2),
    "M-UD-IQ4_XS.gguf",
    "M-IQ4_XS.gguf",
    "M-BF16.gguf",
    "mmproj-F16.gguf",
    "mmproj-Q4_K_M.gguf",
    "imatrix_Q4_K_M.gguf",
    "README.md",
    "config.json",
]


def chosen(quant: str, paths: list[str]) -> list[str]:
    listed = [Listed(path, 1, "a" * 64) for path in reversed(paths)]
    return [one.path for one in choose_files(replace(CHOICE, quant=quant), listed)]


@pytest.mark.parametrize(
    ("quant", "expected"),
    [
        ("Q4_K_M", shards("Q4_K_M/M-Q4_K_M", 3)),
        ("UD-Q4_K_M", shards("UD-Q4_K_M/M-UD-Q4_K_M", 4)),
        ("ud-q4_k_xl", shards("UD-Q4_K_XL/M-UD-Q4_K_XL", 2)),
        ("IQ4_XS", ["M-IQ4_XS.gguf"]),
        ("UD-IQ4_XS", ["M-UD-IQ4_XS.gguf"]),
        ("BF16", ["M-BF16.gguf"]),
    ],
)
def test_a_quant_in_a_large_repository(quant: str, expected: list[str]) -> None:
    assert chosen(quant, UNSLOTH) == expected


@pytest.mark.parametrize(
    ("quant", "path"),
    [
        ("Q4_K_M", "gemma-3-270m-q4_k_m.gguf"),
        ("MXFP4", "DeepSeek-V4-Flash-0731-MXFP4.gguf"),
        ("I-Quality", "Qwen3.5-122B-A10B-APEX-I-Quality.gguf"),
        ("Q4_K_M", "Model.i1-Q4_K_M.gguf"),
        ("Q4_K_M", "Model-Q4_K_M-imat-v2.gguf"),
        ("Q4_K_M", "Q4_K_M/model.gguf"),
    ],
)
def test_names_of_other_uploaders(quant: str, path: str) -> None:
    assert chosen(quant, [path, "Other-Q8_0.gguf"]) == [path]


@pytest.mark.parametrize("quant", ["Q4_K", "Q4", "K_M", "Q8_1", "IQ4", "MXFP4"])
def test_a_part_of_a_quant_is_none(quant: str) -> None:
    with pytest.raises(SupplyError) as caught:
        chosen(quant, UNSLOTH)
    failure = caught.value.failure
    assert f"has no GGUF of quant {quant}" in failure.reason
    expected = "BF16, IQ4_XS, Q4_K_M, Q8_0, UD-IQ4_XS, UD-Q4_K_M, UD-Q4_K_XL"
    assert f"the quants that are there: {expected}" in failure.reason
    assert "model_quant" in failure.cure


def test_two_models_of_one_quant_are_not_guessed_between() -> None:
    paths = [*shards("a/M-Q4_K_M", 2), "M-MTP-Q4_K_M.gguf"]
    with pytest.raises(SupplyError) as caught:
        chosen("Q4_K_M", paths)
    assert "has 2 models of quant Q4_K_M (M-MTP-Q4_K_M, a/M-Q4_K_M)" in caught.value.failure.reason


def test_an_upload_that_is_not_complete() -> None:
    with pytest.raises(SupplyError) as caught:
        chosen("Q4_K_M", shards("M-Q4_K_M", 5)[:3])
    assert "has 3 of the 5 shards of quant Q4_K_M" in caught.value.failure.reason


def test_a_repository_without_models() -> None:
    with pytest.raises(SupplyError) as caught:
        chosen("Q4_K_M", ["model.safetensors"])
    assert "the GGUF files that are there: none" in caught.value.failure.reason

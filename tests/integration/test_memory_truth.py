"""The planner's memory against `llama-fit-params` of b11669, on sparse files of real shapes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from tests.integration.fit_params import tool
from tests.integration.memory_cases import ARTICLE, Case, awkward, grid, others, thin
from tests.integration.memory_random import drawn
from tests.integration.memory_truth import GPUS, Answer, answers
from tests.shapes import EVERY


def check(found: Sequence[Answer]) -> None:
    """Every device and the host within the bound, and most exact: three figures, rounded up here
    and down there."""
    wrong = [f"{one.case}: {one.truth} planned {one.planned}" for one in found if one.worst > 1]
    assert not wrong, "\n".join(wrong)
    assert median(abs(error) for one in found for error in one.errors_mib) <= 3


def test_the_article_s_models(tmp_path: Path) -> None:
    check(answers(thin(grid()), tmp_path))


def test_other_architectures(tmp_path: Path) -> None:
    check(answers(list(others(name for name in EVERY if name not in ARTICLE)), tmp_path))


def test_what_turns_on_small_tensors(tmp_path: Path) -> None:
    check(answers(awkward(), tmp_path))


@pytest.mark.parametrize("cache", ["q4_0", "q5_1", "bf16", "iq4_nl"])
def test_other_types_of_cache(tmp_path: Path, cache: str) -> None:
    check(answers([Case("qwen3-30b", cache=cache), Case("gpt-oss-20b", cache=cache)], tmp_path))


@pytest.mark.slow
def test_the_article_s_models_over_the_whole_grid(tmp_path: Path) -> None:
    check(answers(grid(), tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_models_in_sizes_that_nobody_trained(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GGML_NO_BACKTRACE", "1")  # of what it refuses, which takes seconds
    with tool(GPUS) as one:
        found = list(drawn(seed, 100, 3, one, tmp_path))
    assert len(found) > 100, "the tool refuses most of what is drawn"
    check(found)

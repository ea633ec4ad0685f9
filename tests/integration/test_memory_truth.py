"""The planner's memory against `llama-fit-params` of b11669, on sparse files of real shapes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from tests.integration.memory_cases import ARTICLE, Case, awkward, grid, others, thin
from tests.integration.memory_truth import Answer, answers
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

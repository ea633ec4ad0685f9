"""Prints how far the planner's memory is from llama.cpp's own: `python -m benchmarks.planner`.

Per model the errors over several layouts and sizes, in MiB of model, context and compute together
per device. Names of models limit it to these; `--grid` asks all 192 questions of the article's.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import groupby
from pathlib import Path
from statistics import median

from tests.integration.memory_cases import ARTICLE, grid, others, thin
from tests.integration.memory_truth import Answer, answers
from tests.shapes import EVERY


def main(arguments: list[str]) -> None:
    """Print the table."""
    names = [name for name in arguments if name in EVERY] or list(EVERY)
    every = grid() if "--grid" in arguments else thin(grid(), 3)
    cases = [case for case in every if case.model in names]
    cases += others(name for name in names if name not in ARTICLE)
    with tempfile.TemporaryDirectory() as directory:
        found = answers(cases, Path(directory))
    print("| model | architecture | cases | median MiB | worst MiB | worst of bound |")
    print("|---|---|--:|--:|--:|--:|")
    for name, group in groupby(found, lambda one: one.case.model):
        print(_row(name, list(group)))
    errors = [abs(error) for one in found for error in one.errors_mib]
    print(f"\n{len(found)} cases: median {median(errors):g} MiB, worst {max(errors)} MiB,"
          f" {max(one.worst for one in found):.0%} of the bound (64 MiB or 2 %)")  # fmt: skip


def _row(name: str, found: list[Answer]) -> str:
    errors = [abs(error) for one in found for error in one.errors_mib]
    return (
        f"| {name} | {EVERY[name]().architecture} | {len(found)} | {median(errors):g} |"
        f" {max(errors)} | {max(one.worst for one in found):.0%} |"
    )


if __name__ == "__main__":
    main(sys.argv[1:])

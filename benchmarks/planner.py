"""Prints how far the planner's memory is from llama.cpp's own: `python -m benchmarks.planner`.

Per model the errors over several layouts and sizes, in MiB of model, context and compute together
per device, and how long one plan takes: CPU time on the box with two cards, none of it remembered
from a plan before. Names of models limit it to these; `--grid` asks all 192 questions of the
article's; `--times` asks none, and prints only times.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path
from statistics import median

from boxwright import catalog, plan
from boxwright.machine import machine_from_json
from boxwright.plan import Known, Wanted
from tests.integration.memory_cases import ARTICLE, grid, others, thin
from tests.integration.memory_truth import Answer, answers
from tests.shapes import EVERY
from tests.shapes.read import shape_of

MACHINE = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "machines" / "xeon.json"
RUNS = 3


def main(arguments: list[str]) -> None:
    """Print the table."""
    names = [name for name in arguments if name in EVERY] or list(EVERY)
    if "--times" in arguments:
        for name in names:
            print(f"{name}: {plan_ms(name):.0f} ms")
        return
    every = grid() if "--grid" in arguments else thin(grid(), 3)
    cases = [case for case in every if case.model in names]
    cases += others(name for name in names if name not in ARTICLE)
    with tempfile.TemporaryDirectory() as directory:
        found = answers(cases, Path(directory))
    print("| model | architecture | cases | median MiB | worst MiB | worst of bound | ms |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for name, group in groupby(found, lambda one: one.case.model):
        print(_row(name, list(group)))
    errors = [abs(error) for one in found for error in one.errors_mib]
    print(f"\n{len(found)} cases: median {median(errors):g} MiB, worst {max(errors)} MiB,"
          f" {max(one.worst for one in found):.0%} of the bound (64 MiB or 2 %)")  # fmt: skip


def _row(name: str, found: list[Answer]) -> str:
    errors = [abs(error) for one in found for error in one.errors_mib]
    return (
        f"| {name} | {EVERY[name]().architecture} | {len(found)} | {median(errors):g} |"
        f" {max(errors)} | {max(one.worst for one in found):.0%} | {plan_ms(name):.0f} |"
    )


def plan_ms(name: str) -> float:
    """The shortest of a few plans, each with a context of its own."""
    on, known = machine_from_json(json.loads(MACHINE.read_text())), Known(shape=shape_of(name))
    packaged, seconds = catalog.load(), []
    for number in range(RUNS):
        began = time.process_time()
        plan.make(on, packaged, Wanted(server_context=32768 + 1024 * number), known)
        seconds.append(time.process_time() - began)
    return 1000 * min(seconds)


if __name__ == "__main__":
    main(sys.argv[1:])

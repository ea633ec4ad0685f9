"""Asks the tool and the planner the same questions, a few at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from boxwright.gguf import read_shape
from boxwright.shapes import ModelShape
from tests.integration.fit_params import Row, Tool, tool
from tests.integration.memory_cases import Case, excess_mib
from tests.shapes import EVERY
from tests.unit.gguf_files import write

GPUS = 4


@dataclass(frozen=True)
class Answer:
    """Both answers to one question."""

    case: Case
    truth: list[Row]
    planned: list[Row]

    @property
    def worst(self) -> float:
        """The largest share of the bound on any device."""
        return max(share for _, share in excess_mib(self.truth, self.planned))

    @property
    def errors_mib(self) -> list[int]:
        """Planned less true, per device and on the host."""
        return [error for error, _ in excess_mib(self.truth, self.planned)]


def answers(cases: Sequence[Case], directory: Path) -> list[Answer]:
    """The answers in the order of the questions; files are written to `directory` and sparse."""
    shapes: dict[str, tuple[Path, ModelShape]] = {}
    for name in dict.fromkeys(case.model for case in cases):
        model = EVERY[name]()
        path = write(directory / f"{name}.gguf", model.architecture, model.keys, model.tensors)
        shapes[name] = (path, read_shape([path]))
    workers = os.cpu_count() or 1
    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        free: SimpleQueue[Tool] = SimpleQueue()
        for _ in range(workers):
            free.put(stack.enter_context(tool(GPUS)))

        def ask(case: Case) -> Answer:
            path, shape = shapes[case.model]
            one = free.get()
            try:
                truth = one.measure(path, case.gpus, case.arguments(shape))
            finally:
                free.put(one)
            return Answer(case, truth, case.planned(shape))

        return list(pool.map(ask, cases))

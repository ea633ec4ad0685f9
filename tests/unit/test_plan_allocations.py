"""How often memory is taken for a graph, against ggml's allocator in b11669, counted in it.

A count tells graphs apart whose buffers are equal in most layouts, but not in all: what takes a
tensor's place in one takes a hole somewhere else in another. Read with a shim around
`ggml_gallocr_reserve_n_size` that wrote the graph down which `llama-fit-params` measures.
"""

from __future__ import annotations

from typing import Any

import pytest

from boxwright.plan.graph import allocate, compute
from boxwright.plan.graph.block import Batch
from boxwright.plan.graph.buffers import Buffers
from boxwright.plan.graph.cut import sections
from boxwright.plan.graph.prepare import Prepared
from tests.integration.memory_cases import Case
from tests.shapes.read import shape_of

ONE: dict[str, Any] = {"gpus": 1, "context": 16384, "ubatch": 1024}


def whole(model: Prepared, batch: Batch, crosses: bool = False) -> Buffers:
    """Buffers of a graph in one piece, so that nothing is looked up instead of counted."""
    graph = compute.graph_of(model, batch, range(len(model.blocks)), crosses)
    graph.cuts = graph.cuts[:1]
    return Buffers(sections(graph, [0]), [0])


@pytest.mark.parametrize(
    ("case", "counted"),
    [
        (Case("qwen3-30b", **ONE, experts="all"), 1277),
        (Case("qwen3.5-35b-a3b", **ONE, experts="all"), 1431),
        (Case("gpt-oss-20b", **ONE, experts="all"), 640),
        (Case("gemma-3-27b", **ONE, experts="none"), 1095),
        (Case("deepseek-v2-lite", **ONE, experts="all"), 899),
        (Case("ling-3-8b", **ONE, experts="all"), 1102),
        (Case("ling-flash-2.0", **ONE, experts="all"), 1192),
        (Case("phi-4", **ONE, experts="none"), 629),
        (Case("llama-4-scout", **ONE, experts="all"), 1469),
        (Case("qwen2-57b-a14b", **ONE, experts="all"), 869),
        (Case("dots3-note", **ONE, experts="all"), 920),
        (Case("glm-4.6-joined", **ONE, experts="all"), 3020),
        (Case("qwen3.5-27b-joined", **ONE, experts="none"), 1391),
        (Case("step-3.5-joined", **ONE, experts="all"), 1567),
        (Case("gemma-3n-e2b", gpus=0, context=16384, ubatch=1024, experts="none"), 1062),
        (Case("minimax-01", **ONE, experts="all"), 875),
        (Case("talkie-13b", **ONE, experts="none"), 749),
        (Case("minicpm3-4b", **ONE, experts="none"), 1268),
        (Case("dream-7b", **ONE, experts="none"), 497),
    ],
    ids=lambda one: getattr(one, "model", ""),
)  # fmt: skip
def test_memory_is_taken_as_often_as_in_ggml(
    case: Case, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    take = allocate.Pool.take

    def counting(pool: allocate.Pool, size: int) -> int:
        taken.append(size)
        return take(pool, size)

    monkeypatch.setattr(compute, "buffers", whole)
    monkeypatch.setattr(allocate.Pool, "take", counting)
    case.planned(shape_of(case.model))
    assert len([size for size in taken if size]) == counted

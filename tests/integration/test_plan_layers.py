"""Layers that repeat are built once: it is as if all of every model's were built, and apart."""

from __future__ import annotations

import pytest

from boxwright.plan.context import ContextSize
from boxwright.plan.graph.buffers import Buffers, Where
from boxwright.plan.graph.compute import batch_of, buffers, graph_of
from boxwright.plan.graph.cut import sections
from boxwright.plan.graph.prepare import prepared
from tests.shapes import EVERY
from tests.shapes.read import shape_of


@pytest.mark.parametrize("name", sorted(EVERY))
def test_the_layers_that_are_built_stand_for_all_others(name: str) -> None:
    """The allocator is given what it would be if every layer were built, and built apart."""
    model, size = prepared(shape_of(name), usual=False), ContextSize(8192, "q8_0", 64, 2)
    last = len(model.blocks) - 1
    layouts = [
        Where(
            tuple((2 * n // (last + 1), e, 2 * n // (last + 1)) for n in range(last + 1)), 1, 2, p
        )
        for e, p in ((2, False), (0, True))
    ]
    batch = batch_of(model, size)
    whole = graph_of(model, batch, range(last + 1))
    whole.cuts = whole.cuts[:1]
    every = Buffers(sections(whole, [0]), [0])
    for where in layouts:
        assert buffers(model, batch)(where) == every(where)

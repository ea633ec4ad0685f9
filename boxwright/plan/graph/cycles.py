"""HRM-Text as a graph: a low stack of layers is run several times, then a high one, and all again.

Each stack reads the sum of what both ended with last. Source: src/models/hrm-text.cpp, b11669.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import F32, I32, Graph, Tensor, shape

if TYPE_CHECKING:
    from boxwright.plan.graph.style import Style

Layer = Callable[[Net, Block, "Style", Tensor, bool], Tensor]


def build(net: Net, blocks: Sequence[Block], style: Style, high: Tensor, layer: Layer) -> Graph:
    """The graph of one batch, from its embeddings on; `layer` builds one."""
    low, cur, stack = _learned(net, blocks[0].device), high, style.stack
    for block in blocks:
        net.begin(block)
        place = block.number % stack
        cur = layer(net, block, style, ops.over(high, low) if place == 0 else cur, False)
        if place == stack - 1:
            cur = ops.over(cur)
            if block.number // stack % (style.low_runs + 1) == style.low_runs:
                high = cur
            else:
                low = cur
    x = ops.rows(high, net.input("outputs", shape(net.batch.outputs), I32))
    head = net.weight(None, "output.weight") or net.needed(None, "token_embd.weight")
    net.graph.expand(ops.multiply(head, x))
    return net.graph


def _learned(net: Net, device: int) -> Tensor:
    """What the low stack has ended with before it was run: a weight, with the first layer."""
    made = Tensor(shape(*net.outside.by_name["hrm.z_l_init"]), F32)
    made.home, made.weight = device, True
    return made

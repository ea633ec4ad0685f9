"""MiniMax-01: seven layers of eight attend linearly, with a decay for every pair of tokens.

Source: src/models/minimax-01.cpp, b11549.
"""

from __future__ import annotations

from boxwright.plan.graph import ops
from boxwright.plan.graph.attention import attention
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.experts import mixture
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.recurrent import states
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import I32, Tensor, shape


def layer(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """One layer; what its norms gave is added to what the parts make of it."""
    normed = net.norm(x, block, "attn_norm")
    linear = block.has("attn_norm_2.weight")
    cur = _linear(net, block, normed) if linear else attention(net, block, style, normed)
    if last:
        ids = net.input("outputs", shape(net.batch.outputs), I32)
        cur, normed = ops.rows(cur, ids), ops.rows(normed, ids)
    inside = ops.over(cur, ops.over(normed))
    normed = net.norm(inside, block, "ffn_norm")
    made = mixture(net, block, normed, style.routing)
    return ops.over(made, ops.over(normed))


def _linear(net: Net, block: Block, x: Tensor) -> Tensor:
    """Lightning attention: what earlier batches left, and a square matrix of this one's tokens."""
    each, count, heads, size = net.batch.each, net.batch.sequences, block.heads, block.head_k
    net.graph.expand(states(net, block, 0)[1])  # it convolves nothing
    slope = ops.over(net.input("slopes", shape(heads)))
    x = ops.reshape(x, x.ne[0], each, 1, count)
    joined = ops.over(net.linear(x, block, "attn_qkv"))
    joined = ops.reshape(joined, 3 * size, heads, each, count)
    query, key, value = (ops.view(joined, (size, heads, each, count), joined.nb) for _ in "qkv")
    store, found = states(net, block, size * size * heads)
    old = ops.reshape(found, size, size, heads, count)
    of_query, of_key, of_pair = (
        ops.over(ops.over(net.input(f"decay {name}", sizes)))
        for name, sizes in (
            ("q", (1, heads, each, count)),
            ("k", (1, heads, each, count)),
            ("pairs", (each, each, heads, count)),
        )
    )
    past = ops.multiply(old, ops.permute(ops.over(query, of_query), 0, 2, 1, 3))
    pairs = ops.multiply(ops.permute(key, 0, 2, 1, 3), ops.permute(query, 0, 2, 1, 3))
    pairs = ops.over(pairs, of_pair)
    values = ops.cont(ops.permute(value, 1, 2, 0, 3))
    made = ops.over(past, ops.multiply(values, pairs))
    net.graph.expand(made)
    fade = ops.reshape(ops.over(ops.over(slope)), 1, 1, heads)
    faded = ops.over(old, fade)
    keys = ops.cont(ops.permute(ops.over(key, of_key), 1, 2, 0, 3))
    new = ops.over(faded, ops.multiply(keys, values))
    net.graph.expand(ops.copy(new, ops.part(store, size * size * heads * count)))
    made = ops.cont(ops.permute(made, 0, 2, 1, 3))
    made = ops.reshape(made, size * heads, each, 1, count)
    made = net.norm(made, block, "attn_norm_2")
    gate = ops.over(net.linear(x, block, "attn_gate"))
    made = net.linear(ops.over(gate, made), block, "attn_output")
    return ops.reshape(made, made.ne[0], each * count)

"""Kimi's delta attention: q, k and v each convolved, a decay per channel.

Source: src/models/kimi-linear.cpp, b11549.
"""

from __future__ import annotations

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.recurrent import Recurrence, states
from boxwright.plan.graph.tensors import Tensor, shape


def delta_attention(net: Net, block: Block, x: Tensor, geometry: Recurrence) -> Tensor:
    """One layer that keeps a state."""
    each, count, heads = net.batch.each, net.batch.sequences, block.heads
    width, tokens = geometry.state, each * count
    kept = (geometry.convolution - 1) * width * heads
    store, found = states(net, block, 3 * kept)
    query, key, value = (_convolved(net, block, x, geometry, store, found, p) for p in "qkv")
    decay = _narrowed(net, block, x, "ssm_f")
    decay = ops.over(ops.over(decay, net.needed(block, "ssm_dt.bias")))
    scale = net.needed(block, "ssm_a")
    decay = ops.over(ops.reshape(decay, width, heads, tokens), ops.reshape(scale, 1, heads))
    decay = ops.reshape(decay, width, heads, each, count)
    beta = ops.over(ops.reshape(net.linear(x, block, "ssm_beta"), 1, heads, each, count))
    store, found = states(net, block, width * width * heads)
    state = ops.reshape(found, width, width, heads, count)
    query, key = (ops.over(ops.over(one)) for one in (query, key))
    sizes = shape(width * heads, tokens + width * count)
    result = ops.made(sizes, query, key, value, decay, beta, state)
    flat = width * heads * 4
    output = ops.view(result, (width, heads, each, count), (4, width * 4, flat, flat * each))
    output = ops.cont(output)
    kept_state = ops.view(
        result, (width, width, heads, count), (4, width * 4, width * width * 4, flat * width)
    )
    net.graph.expand(ops.copy(kept_state, ops.part(store, width * width * heads, count)))
    gate = _narrowed(net, block, x, "ssm_g")
    normed = net.norm(ops.reshape(output, width, heads, tokens), block, "ssm_norm")
    gated = ops.over(normed, ops.over(ops.reshape(gate, width, heads, tokens)))
    return net.linear(ops.cont(gated, width * heads, tokens), block, "attn_output")


def _narrowed(net: Net, block: Block, x: Tensor, name: str) -> Tensor:
    """A projection in two steps (Kimi Linear) or in one (Ling 3, Kimi K3)."""
    if block.has(f"{name}.weight"):
        return net.linear(x, block, name)
    made = net.linear(x, block, f"{name}_a")
    return net.linear(made, block, f"{name}_b") if block.has(f"{name}_b.weight") else made


def _convolved(
    net: Net, block: Block, x: Tensor, geometry: Recurrence, store: Tensor, found: Tensor, part: str
) -> Tensor:
    """A projection, convolved with what went before it; all three share one store."""
    each, count, width = net.batch.each, net.batch.sequences, geometry.state
    channels, kept = width * block.heads, geometry.convolution - 1
    row = 4 * kept
    nb = (4, row, 3 * row * channels, 3 * row * channels * count)
    before = ops.view(found, (kept, channels, count, 1), nb)
    projected = ops.reshape(net.linear(x, block, f"attn_{part}"), channels, each, count)
    joined = ops.concat(before, ops.transpose(projected), 0)
    last = ops.view(joined, (kept, channels, count, 1), joined.nb)
    net.graph.expand(ops.copy(last, ops.view(store, (kept, channels, count, 1), nb)))
    kernel = net.needed(block, f"ssm_conv1d_{part}.weight")
    kernel = ops.reshape(kernel, geometry.convolution, channels)
    made = ops.made(shape(channels, each, count), joined, kernel)
    made = ops.over(
        ops.reshape(made, channels, each * count)
    )  # in memory of its own: a view is read
    return ops.reshape(made, width, block.heads, each, count)

"""Gemma 3n: four copies of the hidden state, of which one is computed and the others are corrected.

Source: src/models/gemma3n.cpp, b11549.
"""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.graph import gemma4, ops
from boxwright.plan.graph.attention import attention
from boxwright.plan.graph.block import Block, MissingTensor
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import I32, Graph, Tensor, shape

COPIES = 4


def build(net: Net, blocks: Sequence[Block], style: Style, x: Tensor, rows: Tensor | None) -> Graph:
    """The graph of one batch, from its embeddings on; `rows` are those of every layer."""
    if rows is None:
        raise MissingTensor(gemma4.TABLE)
    size, tokens = net.needed(None, "per_layer_proj_norm.weight").ne[0], net.batch.tokens
    rows = ops.over(ops.reshape(rows, size, rows.ne[0] // size, tokens))
    net.graph.expand(rows)
    own = gemma4.mixed(net, blocks[0], x, rows)
    x = ops.concat(x, _like(x, _more(net, x, "altup_proj")), 2)
    for block in blocks:
        net.begin(block)
        x = _layer(net, block, style, x, own)
    x = _merged(net, x)
    x = ops.rows(x, net.input("outputs", shape(net.batch.outputs), I32))
    x = net.norm(x, None, "output_norm")
    head = net.weight(None, "output.weight") or net.needed(None, "token_embd.weight")
    net.graph.expand(ops.over(ops.multiply(head, x)))
    return net.graph


def _one(x: Tensor) -> Tensor:
    """One of the copies."""
    return ops.part(x, x.ne[0], x.ne[1])


def _others(x: Tensor) -> Tensor:
    return ops.part(x, x.ne[0], x.ne[1], COPIES - 1)


def _more(net: Net, x: Tensor, name: str) -> Tensor:
    spread = ops.made((*x.ne[:2], COPIES - 1, 1), x)
    return ops.multiply(net.needed(None, f"{name}.weight"), spread)


def _length(x: Tensor) -> Tensor:
    return ops.over(ops.row_sums(ops.over(x)))


def _like(x: Tensor, others: Tensor) -> Tensor:
    """The other copies, each made as long as x."""
    length, own = _length(x), _length(others)
    return ops.over(ops.over(others, length), own)


def _merged(net: Net, x: Tensor) -> Tensor:
    """The mean of all copies."""
    weight = net.needed(None, "altup_unembd_proj.weight")
    others = _like(_one(x), ops.multiply(weight, _others(x)))
    total = _one(x)
    for _ in range(COPIES - 1):
        total = ops.over(total, _one(others))
    return ops.over(total)


def _layer(net: Net, block: Block, style: Style, x: Tensor, own: Tensor) -> Tensor:
    predicted = _predicted(net, block, x)
    active = _one(predicted)
    cur = net.norm(active, block, "attn_norm")
    low = net.linear(net.linear(cur, block, "laurel_l"), block, "laurel_r")
    beside = ops.over(net.norm(low, block, "laurel_post_norm"), cur)
    cur = net.norm(attention(net, block, style, cur), block, "post_attention_norm")
    cur = ops.over(cur, active)
    inside = ops.over(ops.over(cur, beside))
    sparse = net.layer < style.sparse_layers
    cur = _feed_forward(net, block, net.norm(inside, block, "ffn_norm"), sparse)
    cur = ops.over(net.norm(cur, block, "post_ffw_norm"), inside)
    corrected = _corrected(net, block, predicted, cur)
    first = ops.over(_one(corrected), net.needed(block, "altup_correct_scale.weight"))
    first = ops.over(net.linear(first, block, "inp_gate"))
    first = net.linear(ops.over(first, _one(own)), block, "proj")
    first = net.norm(first, block, "post_norm")
    return ops.concat(_one(corrected), ops.over(_others(corrected), first), 2)


def _feed_forward(net: Net, block: Block, x: Tensor, sparse: bool) -> Tensor:
    """A sparse one keeps its largest activations."""
    up, gate = net.linear(x, block, "ffn_up"), net.linear(x, block, "ffn_gate")
    if sparse:
        mean = ops.made((1, *gate.ne[1:]), gate)
        spread = ops.over(ops.over(ops.row_sums(ops.over(ops.over(gate, mean)))))
        gate = ops.over(ops.over(gate, ops.over(mean, ops.over(spread))))
    return net.linear(ops.over(up, ops.over(gate)), block, "ffn_down")


def _routed(net: Net, block: Block, x: Tensor) -> Tensor:
    normed = ops.over(net.norm(x, block, "altup_router_norm"))
    return ops.over(net.linear(normed, block, "altup_router"))


def _predicted(net: Net, block: Block, x: Tensor) -> Tensor:
    tokens = x.ne[1]
    weights = net.linear(_routed(net, block, _one(x)), block, "altup_predict_coef")
    weights = ops.reshape(weights, COPIES, COPIES, tokens)
    turned = ops.cont(ops.permute(x, 1, 2, 0, 3))
    made = ops.cont(ops.permute(ops.multiply(turned, weights), 0, 2, 1, 3))
    return ops.over(made, x)


def _corrected(net: Net, block: Block, predicted: Tensor, x: Tensor) -> Tensor:
    routed = _routed(net, block, x)
    news = ops.over(x, _one(predicted))
    weights = ops.over(net.linear(routed, block, "altup_correct_coef"))
    weights = ops.cont(ops.transpose(weights), 1, x.ne[1], COPIES)
    spread = ops.made(predicted.ne, news)
    return ops.over(ops.over(spread, weights), predicted)

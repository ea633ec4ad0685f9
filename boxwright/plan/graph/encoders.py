"""Models that make embeddings of texts: BERT and its heirs, whose layers norm what they made.

Sources: src/models/bert.cpp, modern-bert.cpp, b11669. Nothing is kept, and there is no output: what
the last norm gives is the embedding.
"""

from __future__ import annotations

from boxwright.plan.graph import ops, plain
from boxwright.plan.graph.attention import projected
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.experts import mixture
from boxwright.plan.graph.inputs import Inputs
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import F32, I32, Tensor, shape

POSITIONS, TYPES = "position_embd.weight", "token_types.weight"


def placed(net: Net, inputs: Inputs) -> Tensor:
    """The rows of the batch's tokens, with what the first sentence's type and, looked up before
    all else, their positions add where a model has those."""
    rows = None
    if POSITIONS in net.outside.by_name:
        rows = ops.rows(_on_host(net, POSITIONS), net.positions())
        net.graph.expand(rows)
    x = inputs.built(net)
    if TYPES in net.outside.by_name:
        table = _on_host(net, TYPES)
        x = ops.over(x, ops.view(table, shape(x.ne[0]), table.nb))
    return x if rows is None else ops.over(rows, x)


def _on_host(net: Net, name: str) -> Tensor:
    table = Tensor(shape(*net.outside.by_name[name]), F32)
    table.home, table.weight = net.host, True
    return table


def bert(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """A layer that norms after each part (BERT, Nomic Embed, Jina)."""
    cur = _attention(net, block, style, x)
    cur, x = _chosen(net, last, cur, x)
    cur = net.norm(ops.over(cur, x), block, "attn_output_norm", style.centred)
    if block.has("attn_norm_2.weight"):
        cur = net.norm(ops.over(cur, x), block, "attn_norm_2", style.centred)
    routed = block.has("ffn_gate_inp.weight")
    made = mixture(net, block, cur, style.routing) if routed else net.feed_forward(cur, block)
    return net.norm(ops.over(made, cur), block, "layer_output_norm", style.centred)


def modern(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """A layer of ModernBERT, the first of which has no norm before attention."""
    normed = block.has("attn_norm.weight")
    cur = net.norm(x, block, "attn_norm", style.centred) if normed else x
    cur, x = _chosen(net, last, _attention(net, block, style, cur), x)
    inside = ops.over(cur, x)
    cur = net.feed_forward(net.norm(inside, block, "ffn_norm", style.centred), block)
    return ops.over(cur, inside)


def _attention(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    q, k, v = projected(net, block, style, x)
    assert k is not None and v is not None
    v = ops.reshape(v, block.head_v, block.heads_kv, x.ne[1]) if v.ne[2] == 1 else v
    q, k = (_normed(net, block, style, a, f"attn_{b}_norm") for a, b in ((q, "q"), (k, "k")))
    if block.ropes:
        q, k = (ops.rope(one, net.positions()) for one in (q, k))
    return plain.uncached(net, block, q, k, v)


def _normed(net: Net, block: Block, style: Style, x: Tensor, name: str) -> Tensor:
    """Normed over all heads, if at all."""
    if not block.has(f"{name}.weight"):
        return x
    flat = ops.reshape(x, x.ne[0] * x.ne[1], x.ne[2])
    return ops.reshape(net.norm(flat, block, name, style.centred), *x.ne)


def _chosen(net: Net, last: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The rows that are read out, in the last layer."""
    if not last:
        return tensors
    ids = net.input("outputs", shape(net.batch.outputs), I32)
    return tuple(ops.rows(one, ids) for one in tensors)

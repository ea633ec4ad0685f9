"""K2 Horizon: norms over groups, a gate on attention's result, and values made by experts.

Source: src/models/k2-horizon.cpp, b11549.
"""

from __future__ import annotations

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.experts import Routing, summed, weighed
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import Tensor


def norm(net: Net, x: Tensor, block: Block | None, name: str) -> Tensor:
    """A norm over parts of a row: looked at in another shape, nothing of it is overwritten."""
    made = ops.over(ops.reshape(x, *x.ne[:2]))
    return ops.over(ops.reshape(made, *x.ne[:2]), net.needed(block, f"{name}.weight"))


def attention(net: Net, block: Block, x: Tensor, routing: Routing, used: int) -> Tensor:
    """One layer's attention; `used` value experts per token where there are any."""
    tokens = net.batch.tokens
    q, k = net.linear(x, block, "attn_q"), net.linear(x, block, "attn_k")
    if block.has("attn_v_exps.weight"):
        v = _values(net, block, x, routing, used)
    else:
        v = net.linear(x, block, "attn_v")
    q = ops.reshape(q, block.head_k, block.heads, tokens)
    k = ops.reshape(k, block.head_k, block.heads_kv, tokens)
    v = ops.reshape(v, block.head_v, block.heads_kv, tokens)
    q = net.norm(q, block, "attn_q_norm") if block.has("attn_q_norm.weight") else q
    k = net.norm(k, block, "attn_k_norm") if block.has("attn_k_norm.weight") else k
    q, k = ops.rope(q, net.positions()), ops.rope(k, net.positions())
    if not block.has("attn_gate.weight"):
        return net.attention(block, q, k, v)
    made = net.attention(block, q, k, v, project=False)
    gate = ops.over(ops.over(ops.over(net.linear(x, block, "attn_gate"))))
    return net.linear(ops.over(made, gate), block, "attn_output")


def _values(net: Net, block: Block, x: Tensor, routing: Routing, used: int) -> Tensor:
    probabilities = ops.over(ops.multiply(net.needed(block, "attn_v_gate.weight"), x))
    bias = net.weight(block, "attn_v_gate.bias")
    selected = ops.over(probabilities, bias) if bias is not None else probabilities
    chosen = ops.best(selected, used)
    weights = weighed(probabilities, chosen, routing, used)
    source = ops.reshape(x, x.ne[0], 1, x.ne[1])
    made = ops.multiply_experts(net.needed(block, "attn_v_exps.weight"), source, chosen)
    return summed(net, ops.over(ops.over(made), weights), used)

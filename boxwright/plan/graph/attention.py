"""Attention over a cache of K and V as architectures vary it."""

from __future__ import annotations

from boxwright.plan.graph import blockwise, ops, plain
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import Tensor


def attention(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    """One layer's attention, from its normed input to what is added."""
    q, k, v = projected(net, block, style, x)
    gate = None
    tokens = net.batch.tokens
    if style.gated_query:
        both = ops.reshape(q, 2 * block.head_k, block.heads, tokens)
        q = ops.view(both, (block.head_k, block.heads, tokens, 1), both.nb)
        gate = ops.view(both, (block.head_k, block.heads, tokens, 1), both.nb)
    if block.has("attn_q_norm.weight"):
        q = net.norm(q, block, "attn_q_norm", style.centred)
    if k is not None and block.has("attn_k_norm.weight"):
        k = net.norm(k, block, "attn_k_norm", style.centred)
    if style.flat_norms:
        q = ops.reshape(q, block.head_k, block.heads, tokens)
        k = ops.reshape(k, block.head_k, block.heads_kv, tokens) if k is not None else None
    if v is not None:
        sizes = (block.head_v, block.heads_kv, tokens, 1)
        v = v if v.ne == sizes else ops.reshape(v, *sizes)  # part of a wider row has gaps
        v = ops.over(v) if style.normed_values else v
    if block.ropes:
        factors = _rope_factors(net, block)
        q = ops.rope(q, net.positions(), *factors)
        k = ops.rope(k, net.positions(), *factors) if k is not None else None
    if style.scales_by_position(block):
        q = net.tempered(q)
    if style.query_scaled:
        q = ops.over(q)
    if block.has("attn_gate.weight"):
        return _gated_heads(net, block, x, net.attention(block, q, k, v, project=False))
    if k is not None and v is not None and style.blockwise and block.has("indexer.q_proj.weight"):
        return blockwise.attention(net, block, x, (q, k, v), style.blockwise)
    if k is not None and v is not None and not style.cached:
        return plain.uncached(net, block, q, k, v)
    if k is not None and v is not None and not style.flash:
        return plain.unflashed(net, block, q, k, v)
    if block.has("attn_sub_norm.weight"):
        made = net.attention(block, q, k, v, project=False)
        return net.linear(net.norm(made, block, "attn_sub_norm"), block, "attn_output")
    if gate is None:
        return net.attention(block, q, k, v, sinks=net.weight(block, "attn_sinks.weight"))
    flat = block.head_k * block.heads
    if style.gate_first:
        gate = ops.cont(gate, flat, tokens)
    made = net.attention(block, q, k, v, project=False)
    if not style.gate_first:
        gate = ops.cont(gate, flat, tokens)
    made = ops.over(made, ops.over(gate))
    return net.linear(made, block, "attn_output")


def _rope_factors(net: Net, block: Block) -> list[Tensor]:
    """Frequencies of long contexts; where attention slides there are none (`get_rope_factors`)."""
    if block.window is not None:
        return []
    found = net.beside(block, "rope_freqs.weight", "rope_factors_long.weight")
    return [] if found is None else [found]


def _gated_heads(net: Net, block: Block, x: Tensor, made: Tensor) -> Tensor:
    """Each head's result times a gate of its own (Step 3.5), or each element (Trinity)."""
    gate = ops.over(net.linear(x, block, "attn_gate"))
    if gate.ne[0] == made.ne[0]:
        return net.linear(ops.over(made, gate), block, "attn_output")
    apart = ops.reshape(made, block.head_v, block.heads, x.ne[1])
    gated = ops.over(apart, ops.reshape(gate, 1, block.heads, x.ne[1]))
    return net.linear(ops.reshape(gated, *made.ne[:2]), block, "attn_output")


def projected(
    net: Net, block: Block, style: Style, x: Tensor
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """`build_qkv`: three projections, or one that is looked at in three parts."""
    tokens = net.batch.tokens
    if block.has("attn_qkv.weight"):
        q, key, value = _parts(net, block, style, x)
        if not style.copies_parts:
            return q, key, value
    else:
        q, key, value = _each(net, block, style, x)
    if not style.flat_norms and not style.gated_query:
        q = ops.reshape(q, block.head_k, block.heads, tokens)
    if key is not None and not style.flat_norms:
        key = ops.reshape(key, block.head_k, block.heads_kv, tokens)
    return q, key, value


def _each(
    net: Net, block: Block, style: Style, x: Tensor
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    q = net.linear(x, block, "attn_q")
    key = net.linear(x, block, "attn_k") if block.keeps else None
    value = key
    if block.keeps and block.has("attn_v.weight"):
        value = net.linear(x, block, "attn_v")
    if style.clamped and key is not None and value is not None:
        q, key, value = (ops.over(one) for one in (q, key, value))
    return q, key, value


def _parts(
    net: Net, block: Block, style: Style, x: Tensor
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    tokens = net.batch.tokens
    query = 2 * block.heads if style.gated_query else block.heads
    sizes = ((block.head_k, query), (block.head_k, block.heads_kv),
             (block.head_v, block.heads_kv))  # fmt: skip
    joined = _biased(net, block, net.linear(x, block, "attn_qkv"))
    joined = ops.over(joined) if style.clamped else joined
    if style.copies_parts:
        q, k, v = (ops.cont(ops.part(joined, a * b, tokens)) for a, b in sizes)
    else:
        q, k, v = (ops.heads_of(joined, a, b, tokens) for a, b in sizes)
    return q, k, v


def _biased(net: Net, block: Block, joined: Tensor) -> Tensor:
    """With biases that are in three parts though the projection is in one."""
    q, k, v = (net.weight(block, f"attn_{part}.bias") for part in "qkv")
    if q is None or k is None or v is None or block.has("attn_qkv.bias"):
        return joined
    return ops.over(joined, ops.concat(ops.concat(q, k, 0), v, 0))

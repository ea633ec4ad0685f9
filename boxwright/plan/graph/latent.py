"""Multi-head latent attention: keys and values as one low-rank row per token.

Source: src/models/deepseek2.cpp, b11549. Files of today hold the absorbed projections (`attn_k_b`,
`attn_v_b`) and cache the row itself; older ones unpack K and V.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.indexer import Indexer, picked, unmasked
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import Tensor


@dataclass(frozen=True)
class Latent:
    """`rank` elements of each cached row are content, `rope` carry the position; `tempered` has
    queries multiplied by a number for each token, `windowed` is what layers with a sliding window
    have instead, `squashes_first` squashes gates before they are spread over heads."""

    rank: int
    rope: int
    head_k: int
    head_v: int
    indexer: Indexer | None = None
    turns: bool = True
    tempered: bool = False
    windowed: Latent | None = None
    squashes_first: bool = False

    def roped(self, net: Net, x: Tensor) -> Tensor:
        """x turned by its position, unless a model's recurrent layers tell it (Kimi Linear)."""
        return ops.rope(x, net.positions()) if self.turns else x


def attention(net: Net, block: Block, x: Tensor, geometry: Latent) -> Tensor:
    """One layer's attention."""
    if block.window is not None and geometry.windowed is not None:
        geometry = geometry.windowed
    tokens, rank = x.ne[1], geometry.rank
    if block.has("attn_q.weight"):
        q = net.linear(x, block, "attn_q")
    else:
        low = net.norm(net.linear(x, block, "attn_q_a"), block, "attn_q_a_norm")
        if geometry.indexer is not None and block.has("indexer.proj.weight"):
            net.picked = picked(net, block, x, low, geometry.indexer)
        q = net.linear(low, block, "attn_q_b")
    q = ops.reshape(q, geometry.head_k, block.heads, tokens)
    joined = net.linear(x, block, "attn_kv_a_mqa")
    content = ops.part(joined, rank, tokens)
    rope = ops.heads_of(joined, geometry.rope, 1, tokens, joined.ne[0])
    rope = net.norm(rope, block, "attn_k_norm") if block.has("attn_k_norm.weight") else rope
    rope = geometry.roped(net, rope)
    content = net.norm(content, block, "attn_kv_a_norm")
    if block.has("attn_k_b.weight"):
        return _absorbed(net, block, x, q, content, rope, geometry)
    return _unpacked(net, block, q, content, rope, geometry)


def _absorbed(
    net: Net, block: Block, x: Tensor, q: Tensor, content: Tensor, rope: Tensor, geometry: Latent
) -> Tensor:
    tokens, plain = q.ne[2], geometry.head_k - geometry.rope
    q_plain = ops.view(q, (plain, block.heads, tokens, 1), q.nb)
    q_rope = ops.view(q, (geometry.rope, block.heads, tokens, 1), q.nb)
    q_rope = geometry.roped(net, q_rope)
    weight_k = net.needed(block, "attn_k_b.weight")
    weight_v = net.needed(block, "attn_v_b.weight")
    absorbed = ops.multiply(weight_k, ops.permute(q_plain, 0, 2, 1, 3))
    query = ops.concat(ops.permute(absorbed, 0, 2, 1, 3), q_rope, 0)
    query = net.tempered(query) if geometry.tempered else query
    value = ops.reshape(content, geometry.rank, 1, tokens)
    key = ops.concat(value, rope, 0)
    for one in (query, value, key):
        net.graph.expand(one)
    cells, streams = net.cells(block), net.batch.streams
    cache = net.cache(block, block.cached_k, cells, net.batch.cache)
    net.store(block, cache, key, "k")
    k = ops.reshape(cache, block.cached_k, 1, cells, streams)
    v = ops.view(k, (geometry.rank, 1, cells, streams), k.nb)
    mask = net.mask(block)
    seen = mask
    if net.picked is not None and block.window is None:
        seen = unmasked(mask, net.picked)
    sinks = net.weight(block, "attn_sinks.weight")
    made = through_values(net, query, k, v, weight_v, seen, sinks)
    return net.linear(_gated(net, block, made, x, geometry), block, "attn_output")


def _gated(net: Net, block: Block, made: Tensor, x: Tensor, geometry: Latent) -> Tensor:
    """Attention's result times a gate for each element (Kimi K3) or head (Ling 3, dots), if any."""
    if not block.has("attn_gate.weight"):
        return made
    gate = net.linear(x, block, "attn_gate")
    if gate.ne[0] == made.ne[0]:
        return ops.over(made, ops.over(gate))
    sizes = 1, block.heads, x.ne[1]
    squashed = ops.reshape(ops.over(gate), *sizes)
    gate = squashed if geometry.squashes_first else ops.over(ops.reshape(gate, *sizes))
    apart = ops.over(ops.reshape(made, geometry.head_v, *sizes[1:]), gate)
    joined = ops.reshape if geometry.squashes_first else ops.cont
    return joined(apart, *made.ne[:2])


def through_values(
    net: Net, q: Tensor, k: Tensor, v: Tensor, weight: Tensor, mask: Tensor,
    sinks: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Attention with its results unpacked (`build_attn_mha`); heads side by side in each row."""
    streams = k.ne[3]
    each = q.ne[2] // streams
    q = ops.view(q, (*q.ne[:2], each, streams), (*q.nb[:3], q.nb[2] * each))
    q, k, v = (ops.permute(one, 0, 2, 1, 3) for one in (q, k, v))
    made = ops.attend(q, k, v, mask, sinks)
    made = ops.multiply(weight, ops.permute(made, 0, 2, 1, 3))
    made = ops.cont(ops.permute(made, 0, 2, 1, 3))
    made = ops.reshape(made, made.ne[0] * made.ne[1], made.ne[2] * made.ne[3])
    net.graph.expand(made)
    return made


def _unpacked(
    net: Net, block: Block, q: Tensor, content: Tensor, rope: Tensor, geometry: Latent
) -> Tensor:
    tokens, plain = q.ne[2], geometry.head_k - geometry.rope
    kv = net.linear(content, block, "attn_kv_b")
    gap = plain + geometry.head_v
    k_plain = ops.heads_of(kv, plain, block.heads, tokens, gap)
    value = ops.cont(ops.heads_of(kv, geometry.head_v, block.heads, tokens, gap))
    query = geometry.roped(net, q)
    query = net.tempered(query) if geometry.tempered else query
    spread = ops.made((geometry.rope, block.heads, tokens, 1), rope)
    return net.attention(block, query, ops.concat(k_plain, spread, 0), value)

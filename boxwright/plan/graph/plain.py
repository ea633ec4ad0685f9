"""Attention without flash attention (Grok, whose build forbids it), and without a cache (LLaDA).

Source: `build_attn_mha` and `build_attn` for no cache of src/llama-graph.cpp, llama-kv-cache.cpp,
b11549.
"""

from __future__ import annotations

from boxwright.plan.context import padded
from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import F16, F32, I64, Tensor, row_bytes, shape


def uncached(net: Net, block: Block, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Every token of the batch sees every other, and nothing is kept; rows are padded (b11669)."""
    for one in (q, k, v):
        net.graph.expand(one)
    tokens = net.batch.tokens
    rows = padded(tokens)
    k, v = (ops.made((*one.ne[:2], rows, 1), one) for one in (k, v))
    name = "mask" if block.window is None else "mask window"
    mask = net.input(name, shape(rows, tokens), F16)
    return net.linear(net.attended(q, k, v, mask), block, "attn_output")


def unflashed(net: Net, block: Block, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The scores as a whole matrix; the cache of values lies transposed."""
    for one in (q, v, k):
        net.graph.expand(one)
    batch, cells = net.batch, net.batch.cells
    k_cache = net.cache(block, block.cached_k, cells, batch.cache)
    v_cache = net.cache(block, block.cached_v, cells, batch.cache)
    net.store(block, k_cache, k, "k")
    _store_transposed(net, block, v_cache, v)
    streams, kind = batch.streams, batch.cache
    keys = ops.reshape(k_cache, block.head_k, block.heads_kv, cells, streams)
    step = row_bytes(kind, cells)
    values = ops.view(
        v_cache,
        (cells, block.head_v, block.heads_kv, streams),
        (kind.bytes, step, step * block.head_v, step * block.cached_v),
    )
    made = _scored(net, q, ops.permute(keys, 0, 2, 1, 3), values)
    return net.linear(made, block, "attn_output")


def _scored(net: Net, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    streams = k.ne[3]
    each = q.ne[2] // streams
    q = ops.view(q, (*q.ne[:2], each, streams), (*q.nb[:3], q.nb[2] * each))
    q = ops.permute(q, 0, 2, 1, 3)
    scores = ops.over(ops.over(ops.over(ops.multiply(k, q))))  # capped
    mask = net.input("mask", (k.ne[1], each, 1, streams), F32)
    made = ops.multiply(v, ops.over(scores, mask))
    made = ops.permute(made, 0, 2, 1, 3)
    made = ops.cont(made, made.ne[0] * made.ne[1], made.ne[2] * made.ne[3])
    net.graph.expand(made)
    return made


def _store_transposed(net: Net, block: Block, cache: Tensor, v: Tensor) -> None:
    """Each element is a row of its own."""
    count = block.cached_v * net.batch.tokens
    ids = net.input("ids v each", shape(count), I64)
    flat = ops.reshape(v if v.contiguous else ops.cont(v), 1, count)
    net.graph.expand(ops.set_rows(ops.reshape(cache, 1, cache.elements), flat, ids))

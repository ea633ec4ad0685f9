"""An indexer that picks which cached rows latent attention may see (DeepSeek-V3.2, GLM-5).

Source: src/models/glm-dsa.cpp, deepseek32.cpp and `build_attn` for DSA of src/llama-graph.cpp,
b11549, with the fused lightning indexer. A layer without an indexer reuses the last one's choice.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import F16, F32, I32, I64, Kind, Tensor, shape


@dataclass(frozen=True)
class Indexer:
    """Heads and size of the indexer, how many rows it picks, and whether its rows are rotated by
    a Hadamard matrix."""

    heads: int
    head: int
    top_k: int
    turned: bool = True


def picked(net: Net, block: Block, x: Tensor, low: Tensor, indexer: Indexer) -> Tensor:
    """The rows that each token may see; `low` is the query before it is spread over heads."""
    batch, size = net.batch, indexer.head
    turn = net.input("rotation indexer", shape(size, size)) if indexer.turned else None
    query = ops.reshape(
        net.linear(low, block, "indexer.attn_q_b"), size, indexer.heads, batch.tokens
    )
    query = ops.rope(query, net.positions())
    key = net.norm(net.linear(x, block, "indexer.attn_k"), block, "indexer.k_norm", centred=True)
    key = ops.rope(ops.reshape(key, size, 1, batch.tokens), net.positions())
    if turn is not None:
        query, key = ops.multiply(turn, query), ops.multiply(turn, key)
    cache = net.cache(block, size, batch.cells, batch.cache)
    ids = net.input("ids indexer", shape(batch.tokens), I64)
    flat = ops.view(key, shape(size, batch.tokens), (4, key.nb[2], 0, 0))
    target = ops.reshape(cache, size, batch.cells * batch.streams) if batch.streams > 1 else cache
    net.graph.expand(ops.set_rows(target, flat, ids))
    weights = net.linear(x, block, "indexer.proj")
    each, streams = batch.tokens // batch.streams, batch.streams
    weights = ops.over(ops.view(weights, (indexer.heads, each, 1, streams), weights.nb))
    keys = ops.reshape(cache, size, 1, batch.cells, streams)
    query = ops.view(query, (size, indexer.heads, each, streams), query.nb)
    return best(
        query, keys, weights, net.input("mask indexer", net.mask(block).ne, F16), indexer.top_k
    )


def best(query: Tensor, keys: Tensor, weights: Tensor, mask: Tensor, top_k: int) -> Tensor:
    """The rows with the best scores (`ggml_lightning_indexer` and `ggml_top_k`)."""
    score = ops.made(mask.ne, query, keys, weights, mask)
    sizes = (min(mask.ne[0], top_k), *mask.ne[1:])
    return ops.cont(ops.made(sizes, score, kind=I32))


def unmasked(mask: Tensor, rows: Tensor, kind: Kind = F32) -> Tensor:
    """The mask of those rows only; `kind` is what zeros are made of."""
    cells, each, _, streams = mask.ne
    nothing = ops.over(mask)
    single = ops.view(nothing, (1, cells, each, streams), (2, 2, 2 * cells, 2 * cells * each))
    which = ops.view(rows, (rows.ne[0], each, streams, 1), (4, rows.nb[1], rows.nb[3], 0))
    zeros = ops.over(Tensor((1, rows.ne[0], each, streams), kind))
    shown = ops.set_rows(single, zeros, which)
    return ops.over(ops.view(shown, mask.ne, mask.nb), mask)

"""DeepSeek-V4's attention: a raw window, compressed rows, and an indexer that picks among them.

Source: src/models/deepseek4.cpp and src/llama-kv-cache-dsv4.cpp, b11549. Layers with ratio 4 (CSA)
compress overlapping blocks and choose rows by the indexer, those with 128 (HCA) see all their rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import indexer, ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.rows import Rows, compress, kept_rows, rotation
from boxwright.plan.graph.tensors import F16, Tensor, shape

CHOSEN, WHOLE = 4, 128


@dataclass(frozen=True)
class Compression:
    """Geometry of the compressed attention."""

    groups: int
    output_rank: int
    indexer_heads: int
    indexer_head: int
    top_k: int


def attention(net: Net, block: Block, x: Tensor, geometry: Compression, ratio: int) -> Tensor:
    """One layer's attention."""
    tokens, head = x.ne[1], block.head_k
    low = net.norm(net.linear(x, block, "attn_q_a"), block, "attn_q_a_norm")
    q = ops.reshape(net.linear(low, block, "attn_q_b"), head, block.heads, tokens)
    q = ops.rope(ops.over(q), net.positions())
    kv = net.norm(net.linear(x, block, "attn_kv"), block, "attn_kv_a_norm")
    kv = ops.rope(ops.reshape(kv, head, 1, tokens), net.positions())
    if ratio == CHOSEN:
        compress(net, block, x, Rows("csa", CHOSEN, head, True), "attn_compressor")
        indexed = Rows("lid", CHOSEN, geometry.indexer_head, True)
        compress(net, block, x, indexed, "indexer_compressor")
        made = _chosen(net, block, geometry, low, x, q, kv)
    elif ratio == WHOLE:
        compress(net, block, x, Rows("hca", WHOLE, head, False), "attn_compressor")
        made = _joined(net, block, q, kv, Rows("hca", WHOLE, head, False), None)
    else:
        raw, q = _raw(net, block, q, kv)
        made = _attended(net, block, q, raw, net.mask(block))
    made = ops.rope(ops.reshape(made, head, block.heads, tokens), net.positions())
    return _projected(net, block, made, geometry)


def _projected(net: Net, block: Block, x: Tensor, geometry: Compression) -> Tensor:
    tokens, groups, rank = x.ne[2], geometry.groups, geometry.output_rank
    width = block.heads // groups * block.head_k
    grouped = ops.permute(ops.reshape(x, width, groups, tokens), 0, 2, 1, 3)
    weight = net.needed(block, "attn_output_a.weight")
    weight.ne = shape(width, rank, groups)  # reshaped when it is loaded
    low = ops.permute(ops.multiply(weight, grouped), 0, 2, 1, 3)
    return net.linear(ops.cont(low, rank * groups, tokens), block, "attn_output_b")


def _raw(net: Net, block: Block, q: Tensor, kv: Tensor) -> tuple[Tensor, Tensor]:
    """The window's rows with this batch's, and the query turned as they are."""
    turn = rotation(net, "raw", block.head_k)
    q, kv = net.rotated(q, turn), net.rotated(kv, turn)
    net.graph.expand(q)
    net.graph.expand(kv)
    cells = net.cells(block)
    cache = net.cache(block, block.head_k, cells, net.batch.cache)
    net.store(block, cache, kv, "k")
    return ops.reshape(cache, block.head_k, 1, cells, net.batch.streams), q


def _attended(net: Net, block: Block, q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    made = net.attended(q, k, k, mask, net.weight(block, "attn_sinks.weight"))
    return net.rotated(made, rotation(net, "raw", block.head_k))


def _mask(net: Net, rows: Rows) -> Tensor:
    batch = net.batch
    sizes = (rows.cells(net), batch.tokens // batch.streams, 1, batch.streams)
    return net.input(f"{rows.name} mask", sizes, F16)


def _joined(
    net: Net, block: Block, q: Tensor, kv: Tensor, rows: Rows, mask: Tensor | None
) -> Tensor:
    raw, q = _raw(net, block, q, kv)
    cells = rows.cells(net)
    compressed = ops.reshape(kept_rows(net, block, rows), rows.width, 1, cells, net.batch.streams)
    k = ops.concat(raw, compressed, 2)
    seen = ops.concat(net.mask(block), mask if mask is not None else _mask(net, rows), 0)
    return _attended(net, block, q, k, seen)


def _chosen(
    net: Net, block: Block, geometry: Compression, low: Tensor, x: Tensor, q: Tensor, kv: Tensor
) -> Tensor:
    """Attention over the raw window and the rows that the indexer scores best."""
    best = _best_rows(net, block, geometry, low, x)
    return _joined(net, block, q, kv, Rows("csa", CHOSEN, block.head_k, True), best)


def _best_rows(net: Net, block: Block, geometry: Compression, low: Tensor, x: Tensor) -> Tensor:
    """The mask of compressed rows that may be seen."""
    batch, size, heads = net.batch, geometry.indexer_head, geometry.indexer_heads
    rows = Rows("lid", CHOSEN, size, True)
    cells, each, streams = rows.cells(net), batch.tokens // batch.streams, batch.streams
    query = ops.reshape(net.linear(low, block, "indexer.attn_q_b"), size, heads, batch.tokens)
    query = net.rotated(ops.rope(query, net.positions()), rotation(net, "lid", size))
    weights = ops.over(net.linear(x, block, "indexer.proj"))
    keys = ops.reshape(kept_rows(net, block, rows), size, 1, cells, streams)
    query = ops.view(query, (size, heads, each, streams), query.nb)
    weights = ops.view(weights, (heads, each, 1, streams), weights.nb)
    found = indexer.best(query, keys, weights, _mask(net, rows), geometry.top_k)
    seen = _mask(net, Rows("csa", CHOSEN, block.head_k, True))
    return indexer.unmasked(seen, found, F16)

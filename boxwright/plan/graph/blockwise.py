"""MiniMax-M3's sparse attention: an indexer picks blocks of positions that each group may see.

Source: src/models/minimax-m3.cpp and llama-kv-cache-msa.cpp, b11549. The tool measures it with an
empty cache, so that there are FIRST_POSITIONS to pick from, though scores are for all cells.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import F16, F32, I32, I64, Tensor, shape

FIRST_POSITIONS = 256


@dataclass(frozen=True)
class Blockwise:
    """The indexer's heads, one for each group, their size, and how many blocks of what size."""

    heads: int
    head: int
    top_k: int
    block: int

    def blocks(self, positions: int) -> int:
        """Blocks of the positions that are used, at least those of an empty cache."""
        return -(-max(positions, FIRST_POSITIONS) // self.block)


def attention(
    net: Net, block: Block, x: Tensor, parts: tuple[Tensor, Tensor, Tensor], geometry: Blockwise
) -> Tensor:
    """One layer's attention from its turned queries, keys and values (`parts`)."""
    query, keys = _indexed(net, block, x, geometry)
    turn_v = net.rotation(block, "v", block.head_v)
    turn_k = net.rotation(block, "k", block.head_k)
    q, k, v = (net.rotated(a, b) for a, b in zip(parts, (turn_k, turn_k, turn_v), strict=True))
    for one in (q, k, v):
        net.graph.expand(one)
    cells, streams, kind = net.batch.cells, net.batch.streams, net.batch.cache
    k_cache = net.cache(block, block.cached_k, cells, kind)
    v_cache = net.cache(block, block.cached_v, cells, kind)
    net.store(block, k_cache, k, "k")
    net.store(block, v_cache, v, "v")
    made: Tensor | None = None
    for _ in range(streams):
        mask = _seen(net, block, query, keys, geometry)
        views = (
            ops.reshape(one, size, block.heads_kv, cells)
            for one, size in ((k_cache, block.head_k), (v_cache, block.head_v))
        )
        one = _attended(net, block, q, next(views), next(views), mask)
        made = one if made is None else ops.concat(made, one, 1)
    assert made is not None
    return net.linear(net.rotated(made, turn_v), block, "attn_output")


def _indexed(net: Net, block: Block, x: Tensor, geometry: Blockwise) -> tuple[Tensor, Tensor]:
    """The indexer's queries, and the cache of its keys with this batch's."""
    tokens, size = net.batch.tokens, geometry.head
    query = ops.reshape(net.linear(x, block, "indexer.q_proj"), size, geometry.heads, tokens)
    key = ops.reshape(net.linear(x, block, "indexer.k_proj"), size, 1, tokens)
    query = ops.rope(net.norm(query, block, "indexer.q_norm"), net.positions())
    key = ops.rope(net.norm(key, block, "indexer.k_norm"), net.positions())
    cells, streams = net.batch.cells, net.batch.streams
    cache = net.cache(block, size, cells, net.batch.cache)
    target = ops.reshape(cache, size, cells * streams) if streams > 1 else cache
    flat = ops.view(key, shape(size, tokens), (4, key.nb[2], 0, 0))
    net.graph.expand(ops.set_rows(target, flat, net.input("ids indexer", shape(tokens), I64)))
    return query, cache


def _seen(net: Net, block: Block, query: Tensor, keys: Tensor, geometry: Blockwise) -> Tensor:
    """The mask of one stream for each group."""
    batch, heads = net.batch, geometry.heads
    blocks = geometry.blocks(batch.positions)
    each, cells, positions = batch.tokens // batch.streams, batch.cells, blocks * geometry.block
    places = net.input("cells of positions", shape(positions, batch.streams), I32)
    rows = ops.rows(ops.part(keys, geometry.head, cells), ops.part(places, positions))
    scores = ops.multiply(rows, ops.view(query, shape(geometry.head, heads * each), query.nb))
    scores = ops.reshape(scores, positions, heads, each)
    hidden = net.input("positions seen", shape(positions, batch.tokens))
    scores = ops.add_inside(scores, _by_token(hidden, each))
    near = net.input("near blocks", shape(blocks, batch.tokens))
    near = _by_token(near, each)
    best = ops.over(ops.made(shape(blocks, heads, each), scores), near)
    picked = ops.made(shape(min(geometry.top_k, blocks), heads, each), best, kind=I32)
    chosen = _chosen(near, picked, heads)
    blocks_of_cells = net.input("blocks of cells", shape(cells, batch.streams), I32)
    spread = ops.rows(chosen, ops.part(blocks_of_cells, cells))
    spread = ops.reshape(ops.cont(ops.transpose(spread)), cells, each, heads)
    mask = ops.view(_whole_mask(net, block), shape(cells, each), (4, 4 * cells, 0, 0))
    return ops.cast(ops.reshape(ops.add_inside(spread, mask), cells, each, 1, heads), F16)


def _by_token(rows: Tensor, each: int) -> Tensor:
    """Rows of so many tokens, with room for heads between."""
    step = rows.nb[1]
    return ops.view(rows, (rows.ne[0], 1, each, 1), (4, step, step, step * each))


def _whole_mask(net: Net, block: Block) -> Tensor:
    """The causal mask as F32, made once."""
    if net.wide_mask is None:
        net.wide_mask = ops.cast(net.mask(block), F32)
    return net.wide_mask


def _chosen(near: Tensor, picked: Tensor, heads: int) -> Tensor:
    """0 for blocks that were picked, minus infinity for others; a row for each block."""
    blocks, each, count = near.ne[0], near.ne[2], picked.ne[0]
    nothing = ops.cast(ops.over(near), F16)
    nothing = ops.made((blocks, heads, each, 1), nothing, kind=F16)
    zeros = ops.over(ops.cast(picked, F32))
    made = ops.set_rows(
        ops.reshape(nothing, 1, blocks, heads * each),
        ops.reshape(zeros, 1, count, heads * each),
        ops.reshape(picked, count, heads * each),
    )
    made = ops.cont(ops.permute(ops.reshape(made, blocks, heads, each), 0, 2, 1, 3))
    return ops.cont(ops.transpose(ops.reshape(made, blocks, each * heads)))


def _attended(net: Net, block: Block, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Flash attention with the groups as sequences (`build_attn_msa_fa`)."""
    each, groups = mask.ne[1], block.heads_kv
    q = ops.reshape(q, block.head_k, block.heads // groups, groups, each)
    k, v = (ops.permute(one, 0, 3, 1, 2) for one in (k, v))
    made = ops.attend(ops.permute(q, 0, 2, 3, 1), k, v, mask)
    made = ops.cont(ops.permute(made, 0, 1, 3, 2))
    return ops.reshape(made, block.head_v * block.heads, each)

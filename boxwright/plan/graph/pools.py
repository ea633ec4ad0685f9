"""Pools of cached rows of which an indexer keeps one key each, and the mask of those it picks.

Source: src/llama-memory-hybrid-idx.cpp, src/models/glm5-next.cpp and qwen4exp.cpp, b11549, with the
fused lightning indexer; the mask is that of b11669's graph (GGML_SCHED_DEBUG=2).
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import F16, F32, I32, Tensor, shape

PAD = 64


@dataclass(frozen=True)
class Pools:
    """The indexer: heads, their size, how many rows it picks, and how many make a pool; with the
    `tail`, rows that fill no pool yet are seen as well."""

    heads: int
    head: int
    top_k: int
    size: int
    tail: bool

    def whole(self, net: Net) -> int:
        """Pools that a full cache holds."""
        return max(net.batch.cells // self.size * net.batch.streams, 1)

    def padded(self, net: Net) -> int:
        """The same with one unused, padded (`kpool_pad`)."""
        return max(PAD, -(-(self.whole(net) + 1) // PAD) * PAD)


def rows_of(cache: Tensor, size: int) -> Tensor:
    """The part of so many elements of each row of a cache."""
    count = cache.ne[1] * cache.ne[2]
    return ops.view(cache, shape(size, count), (cache.nb[0], cache.nb[1], cache.nb[1] * count, 0))


def scored(net: Net, query: Tensor, keys: Tensor, weights: Tensor, pools: Pools) -> Tensor:
    """The score of each pool (`ggml_lightning_indexer`)."""
    count, tokens = pools.padded(net), net.batch.tokens
    mask = net.input("pool mask", shape(count, tokens), F16)
    keys = ops.reshape(keys, pools.head, 1, count)
    return ops.made(shape(count, tokens), query, keys, weights, mask)


def members(net: Net, top: Tensor, pools: Pools) -> Tensor:
    """The rows of these pools, and those that fill no pool yet."""
    best, tokens = top.ne[0], top.ne[1]
    table = net.input("pool rows", shape(pools.size, pools.padded(net)), I32)
    rows = ops.rows(table, ops.reshape(top, best * tokens))
    rows = ops.reshape(rows, pools.size * best, tokens)
    if not pools.tail:
        return rows
    return ops.concat(rows, net.input("tail rows", shape(pools.size - 1, tokens), I32), 0)


def masked(net: Net, block: Block, rows: Tensor, live: Tensor, numbers: Tensor) -> Tensor:
    """The mask of the live ones of those rows; dead ones are written past its end, by number."""
    mask, tokens = net.mask(block), rows.ne[1]
    cells, count = mask.ne[0], rows.ne[0]
    hidden, shown = (
        ops.reshape(
            ops.made(shape(width, tokens), ops.over(Tensor(shape(width), F16)), kind=F16),
            1, width, tokens,
        )
        for width in (cells + count, count)
    )  # fmt: skip
    places = ops.over(ops.over(ops.over(ops.cast(rows, F32), numbers), live), numbers)
    places = ops.reshape(ops.cast(places, I32), count, tokens, 1)
    seen = ops.set_rows(hidden, shown, places)
    step, each = 2 * (cells + count), mask.ne[1]
    return ops.over(ops.view(seen, mask.ne, (2, step, step * each, step * each)), mask)

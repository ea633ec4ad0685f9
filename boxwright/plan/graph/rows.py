"""Compressed rows of DeepSeek-V4: blocks of tokens folded into one row each.

Source: src/models/deepseek4.cpp and src/llama-kv-cache-dsv4.cpp, b11549.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import I32, I64, Tensor, shape

PAD = 256


@dataclass(frozen=True)
class Rows:
    """Compressed rows of one kind: where they are read from and written to."""

    name: str
    ratio: int
    width: int
    overlaps: bool

    def cells(self, net: Net) -> int:
        """Rows of the cache per stream."""
        return -(-max(-(-net.batch.cells // self.ratio), 1) // PAD) * PAD

    def blocks(self, net: Net) -> int:
        """Blocks that a batch completes at most."""
        return net.batch.tokens // self.ratio + net.batch.sequences

    @property
    def state_rows(self) -> int:
        """Rows that wait for their block's end."""
        return 2 * self.ratio if self.overlaps else self.ratio


def compress(net: Net, block: Block, x: Tensor, rows: Rows, prefix: str) -> None:
    """Fold the batch into compressed rows, and keep what has no whole block yet."""
    tokens, blocks = net.batch.tokens, rows.blocks(net)
    factor = 2 if rows.overlaps else 1
    kv = net.linear(x, block, f"{prefix}_kv")
    score = net.linear(x, block, f"{prefix}_gate")
    table = net.needed(block, f"{prefix}_ape.weight")
    position = net.input(f"{rows.name} positions", shape(tokens), I32)
    score = ops.over(score, ops.rows(table, position))
    stores = [_state(net, block, rows) for _ in range(2)]
    sources = [
        ops.concat(ops.part(store, store.ne[0], store.ne[1]), one, 1)
        for store, one in zip(stores, (kv, score), strict=True)
    ]
    read = net.input(f"{rows.name} reads", shape(factor * rows.ratio * blocks), I32)
    fold = _overlapping if rows.overlaps else _plain
    made = fold(sources[0], sources[1], read, rows, blocks)
    made = net.norm(made, block, f"{prefix}_norm")
    made = ops.rope(made, net.input(f"{rows.name} blocks", shape(blocks), I32))
    made = net.rotated(made, rotation(net, rows.name, rows.width))
    cache = kept_rows(net, block, rows)
    flat = ops.view(made, shape(rows.width, blocks), (made.nb[0], made.nb[2], 0, 0))
    target = ops.reshape(cache, cache.ne[0], cache.ne[1] * cache.ne[2])
    where = net.input(f"{rows.name} writes", shape(blocks), I64)
    net.graph.expand(ops.set_rows(target if net.batch.streams > 1 else cache, flat, where))
    _persist(net, rows, stores, (kv, score))


def _persist(net: Net, rows: Rows, stores: list[Tensor], values: tuple[Tensor, Tensor]) -> None:
    count = min(net.batch.tokens, rows.state_rows * net.batch.streams)
    taken = net.input(f"{rows.name} kept", shape(count), I32)
    where = net.input(f"{rows.name} keeps", shape(count), I32)
    made = [
        ops.set_rows(store, ops.rows(one, taken), where)
        for store, one in zip(stores, values, strict=True)
    ]
    for one in made:
        net.graph.expand(one)


def _state(net: Net, block: Block, rows: Rows) -> Tensor:
    width = rows.width * (2 if rows.overlaps else 1)
    store = Tensor((width, rows.state_rows, net.batch.streams, 1))
    store.home = block.device
    return ops.part(store, width, rows.state_rows * net.batch.streams)


def kept_rows(net: Net, block: Block, rows: Rows) -> Tensor:
    """The cache of compressed rows."""
    return net.cache(block, rows.width, rows.cells(net), net.batch.cache)


def _weighed(values: Tensor, scores: Tensor) -> Tensor:
    values, scores = (ops.cont(ops.permute(one, 1, 0, 2, 3)) for one in (values, scores))
    made = ops.row_sums(ops.over(values, ops.over(scores)))
    return ops.cont(ops.permute(made, 1, 0, 2, 3))


def _plain(kv: Tensor, score: Tensor, read: Tensor, rows: Rows, blocks: int) -> Tensor:
    taken = [
        ops.reshape(ops.rows(one, read), rows.width, rows.ratio, blocks) for one in (kv, score)
    ]
    return _weighed(taken[0], taken[1])


def _overlapping(kv: Tensor, score: Tensor, read: Tensor, rows: Rows, blocks: int) -> Tensor:
    count = rows.ratio * blocks
    kv, score = (_with_empty_row(one) for one in (kv, score))
    taken = [ops.rows(one, read) for one in (kv, score)]
    halves = [
        ops.reshape(ops.cont(ops.part(one, rows.width, count)), rows.width, rows.ratio, blocks)
        for one in (*taken, *taken)
    ]
    return _weighed(ops.concat(halves[0], halves[2], 1), ops.concat(halves[1], halves[3], 1))


def _with_empty_row(table: Tensor) -> Tensor:
    row = ops.over(ops.part(table, table.ne[0]))
    return ops.concat(table, ops.reshape(row, table.ne[0], 1), 1)


def rotation(net: Net, name: str, width: int) -> Tensor | None:
    """The Hadamard matrix of a cache; the indexer's rows are always rotated."""
    if width % 64 or (net.batch.cache.elements == 1 and name != "lid"):
        return None
    side = 64
    while width % (2 * side) == 0:
        side *= 2
    return net.input(f"rotation {name}", shape(side, side))

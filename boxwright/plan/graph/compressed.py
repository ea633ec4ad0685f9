"""DeepSeek-V4's attention: a raw window, compressed rows, and an indexer that picks among them.

Source: src/models/deepseek4.cpp and src/llama-kv-cache-dsv4.cpp, b11549. Layers with ratio 4 (CSA)
compress overlapping blocks and choose rows by the indexer, those with 128 (HCA) see all their rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import indexer, ops
from boxwright.plan.graph.net import Block, Net
from boxwright.plan.graph.tensors import F16, I32, I64, Tensor, shape

CHOSEN, WHOLE = 4, 128
PAD = 256


@dataclass(frozen=True)
class Compression:
    """Geometry of the compressed attention."""

    groups: int
    output_rank: int
    indexer_heads: int
    indexer_head: int
    top_k: int


@dataclass(frozen=True)
class _Rows:
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


def attention(net: Net, block: Block, x: Tensor, geometry: Compression, ratio: int) -> Tensor:
    """One layer's attention."""
    tokens, head = x.ne[1], block.head_k
    low = net.norm(net.linear(x, block, "attn_q_a"), block, "attn_q_a_norm")
    q = ops.reshape(net.linear(low, block, "attn_q_b"), head, block.heads, tokens)
    q = ops.rope(ops.over(q), net.positions())
    kv = net.norm(net.linear(x, block, "attn_kv"), block, "attn_kv_a_norm")
    kv = ops.rope(ops.reshape(kv, head, 1, tokens), net.positions())
    if ratio == CHOSEN:
        _compress(net, block, x, _Rows("csa", CHOSEN, head, True), "attn_compressor")
        indexed = _Rows("lid", CHOSEN, geometry.indexer_head, True)
        _compress(net, block, x, indexed, "indexer_compressor")
        made = _chosen(net, block, geometry, low, x, q, kv)
    elif ratio == WHOLE:
        _compress(net, block, x, _Rows("hca", WHOLE, head, False), "attn_compressor")
        made = _joined(net, block, q, kv, _Rows("hca", WHOLE, head, False), None)
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


def _compress(net: Net, block: Block, x: Tensor, rows: _Rows, prefix: str) -> None:
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
    cache = _cache(net, block, rows)
    flat = ops.view(made, shape(rows.width, blocks), (made.nb[0], made.nb[2], 0, 0))
    target = ops.reshape(cache, cache.ne[0], cache.ne[1] * cache.ne[2])
    where = net.input(f"{rows.name} writes", shape(blocks), I64)
    net.graph.expand(ops.set_rows(target if net.batch.streams > 1 else cache, flat, where))
    _persist(net, rows, stores, (kv, score))


def _persist(net: Net, rows: _Rows, stores: list[Tensor], values: tuple[Tensor, Tensor]) -> None:
    count = min(net.batch.tokens, rows.state_rows * net.batch.streams)
    taken = net.input(f"{rows.name} kept", shape(count), I32)
    where = net.input(f"{rows.name} keeps", shape(count), I32)
    made = [
        ops.set_rows(store, ops.rows(one, taken), where)
        for store, one in zip(stores, values, strict=True)
    ]
    for one in made:
        net.graph.expand(one)


def _state(net: Net, block: Block, rows: _Rows) -> Tensor:
    width = rows.width * (2 if rows.overlaps else 1)
    store = Tensor((width, rows.state_rows, net.batch.streams, 1))
    store.home = block.device
    return ops.part(store, width, rows.state_rows * net.batch.streams)


def _cache(net: Net, block: Block, rows: _Rows) -> Tensor:
    return net.cache(block, rows.width, rows.cells(net), net.batch.cache)


def _weighed(values: Tensor, scores: Tensor) -> Tensor:
    values, scores = (ops.cont(ops.permute(one, 1, 0, 2, 3)) for one in (values, scores))
    made = ops.row_sums(ops.over(values, ops.over(scores)))
    return ops.cont(ops.permute(made, 1, 0, 2, 3))


def _plain(kv: Tensor, score: Tensor, read: Tensor, rows: _Rows, blocks: int) -> Tensor:
    taken = [
        ops.reshape(ops.rows(one, read), rows.width, rows.ratio, blocks) for one in (kv, score)
    ]
    return _weighed(taken[0], taken[1])


def _overlapping(kv: Tensor, score: Tensor, read: Tensor, rows: _Rows, blocks: int) -> Tensor:
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


def _mask(net: Net, rows: _Rows) -> Tensor:
    batch = net.batch
    sizes = (rows.cells(net), batch.tokens // batch.streams, 1, batch.streams)
    return net.input(f"{rows.name} mask", sizes, F16)


def _joined(
    net: Net, block: Block, q: Tensor, kv: Tensor, rows: _Rows, mask: Tensor | None
) -> Tensor:
    raw, q = _raw(net, block, q, kv)
    cells = rows.cells(net)
    compressed = ops.reshape(_cache(net, block, rows), rows.width, 1, cells, net.batch.streams)
    k = ops.concat(raw, compressed, 2)
    seen = ops.concat(net.mask(block), mask if mask is not None else _mask(net, rows), 0)
    return _attended(net, block, q, k, seen)


def _chosen(
    net: Net, block: Block, geometry: Compression, low: Tensor, x: Tensor, q: Tensor, kv: Tensor
) -> Tensor:
    """Attention over the raw window and the rows that the indexer scores best."""
    best = _best_rows(net, block, geometry, low, x)
    return _joined(net, block, q, kv, _Rows("csa", CHOSEN, block.head_k, True), best)


def _best_rows(net: Net, block: Block, geometry: Compression, low: Tensor, x: Tensor) -> Tensor:
    """The mask of compressed rows that may be seen."""
    batch, size, heads = net.batch, geometry.indexer_head, geometry.indexer_heads
    rows = _Rows("lid", CHOSEN, size, True)
    cells, each, streams = rows.cells(net), batch.tokens // batch.streams, batch.streams
    query = ops.reshape(net.linear(low, block, "indexer.attn_q_b"), size, heads, batch.tokens)
    query = net.rotated(ops.rope(query, net.positions()), rotation(net, "lid", size))
    weights = ops.over(net.linear(x, block, "indexer.proj"))
    keys = ops.reshape(_cache(net, block, rows), size, 1, cells, streams)
    query = ops.view(query, (size, heads, each, streams), query.nb)
    weights = ops.view(weights, (heads, each, 1, streams), weights.nb)
    found = indexer.best(query, keys, weights, _mask(net, rows), geometry.top_k)
    seen = _mask(net, _Rows("csa", CHOSEN, block.head_k, True))
    return indexer.unmasked(seen, found, F16)

"""Qwen 4 (experimental) as a graph: gated residual streams around delta nets and pooled attention.

Source: src/models/qwen4exp.cpp, b11549, with the fused operations that GPUs have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from boxwright.plan.graph import ops, recurrent
from boxwright.plan.graph.attention import attention
from boxwright.plan.graph.block import Block, MissingTensor
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.ngrams import added, looked_up
from boxwright.plan.graph.pools import Pools, masked, members, rows_of, scored
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import F32, I32, I64, Graph, Tensor, shape

FeedForward = Callable[[Net, Block, Style, Tensor], Tensor]


def build(net: Net, blocks: Sequence[Block], style: Style, feed_forward: FeedForward) -> Graph:
    """The graph of one batch."""
    grams = looked_up(net)
    x = style.inputs.built(net)
    hidden, tokens = x.ne[0], net.batch.tokens
    streams = blocks[0].dims.by_name["hc_attn_inject.weight"][1]
    x = ops.made((hidden, streams, tokens, 1), ops.reshape(x, hidden, 1, tokens))
    net.graph.expand(x)
    for index, block in enumerate(blocks):
        net.begin(block)
        x = added(net, block, grams, x, style.gram_size)
        x = _layer(net, block, style, x, feed_forward, index == len(blocks) - 1)
    x.output = True  # kept for drafting (t_h_nextn)
    normed, gate = _gated(net, None, x, "output_hc")
    step, outputs = 4 * hidden * streams, x.ne[2]
    both = ops.over(normed, ops.over(gate))
    looks = [
        ops.view(both, shape(hidden, outputs), (4, step, step * outputs, step * outputs))
        for _ in range(streams)
    ]
    total = ops.cont(looks[0])
    for one in looks[1:]:
        total = ops.over(total, one)
    head = net.weight(None, "output.weight") or net.needed(None, "token_embd.weight")
    net.graph.expand(ops.multiply(head, ops.over(total)))
    return net.graph


def _layer(
    net: Net, block: Block, style: Style, x: Tensor, feed_forward: FeedForward, last: bool
) -> Tensor:
    cur, inject = _mixed(net, block, x, "hc_attn")
    net.graph.expand(cur)
    if block.has("ssm_conv1d.weight"):
        if style.recurrence is None:
            raise MissingTensor("ssm")
        cur = recurrent.delta_net(net, block, cur, style.recurrence, apart=True)
    else:
        cur = _attention(net, block, style, cur)
    if last:
        ids = net.input("outputs", shape(net.batch.outputs), I32)
        cur, inject = ops.rows(cur, ids), ops.rows(inject, ids)
        flat = ops.rows(ops.reshape(x, x.ne[0] * x.ne[1], x.ne[2]), ids)
        x = ops.reshape(flat, x.ne[0], x.ne[1], net.batch.outputs)
    x = _combined(x, cur, inject)
    cur, inject = _mixed(net, block, x, "hc_ffn")
    return _combined(x, feed_forward(net, block, style, cur), inject)


def _gated(net: Net, block: Block | None, x: Tensor, part: str) -> tuple[Tensor, Tensor]:
    normed = ops.over(ops.over(x), net.needed(block, f"{part}_norm.weight"))
    normed = ops.reshape(normed, x.ne[0] * x.ne[1], x.ne[2])
    low = ops.multiply(net.needed(block, f"{part}_down.weight"), normed)
    low = ops.over(ops.over(low))
    return normed, ops.multiply(net.needed(block, f"{part}_up.weight"), low)


def _mixed(net: Net, block: Block, x: Tensor, part: str) -> tuple[Tensor, Tensor]:
    """The streams as one, and how a part's result is spread over them."""
    normed, gate = _gated(net, block, x, part)
    sources = (ops.reshape(one, *x.ne[:3]) for one in (normed, gate))
    mixed = ops.made(shape(x.ne[0], x.ne[2]), *sources)
    return mixed, ops.multiply(net.needed(block, f"{part}_inject.weight"), normed)


def _combined(x: Tensor, cur: Tensor, inject: Tensor) -> Tensor:
    return ops.made(x.ne, cur, x, ops.over(ops.over(ops.over(inject))))


def _attention(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    if style.pools is not None and style.pools.size > 1:
        net.seen = _seen(net, block, x, style.pools)
    made = attention(net, block, style, x)
    net.seen = None
    return made


def _seen(net: Net, block: Block, x: Tensor, pools: Pools) -> Tensor:
    """The mask of the rows that each token may see."""
    tokens, size = x.ne[1], pools.head
    cache = net.cache(block, 2 * size, net.batch.cells, net.batch.cache)
    _kept(net, block, x, cache, pools)
    count = pools.padded(net)
    keys = ops.rows(rows_of(cache, size), net.input("pool cells", shape(count), I32))
    query = ops.reshape(net.linear(x, block, "indexer.q_proj"), size, pools.heads, tokens)
    query = ops.rope(net.norm(query, block, "indexer.q_norm"), net.positions())
    weights = ops.over(Tensor(shape(pools.heads, tokens), F32))
    score = scored(net, query, keys, weights, pools)
    best = min(count, pools.top_k // pools.size)
    top = ops.made(shape(best, tokens), score, kind=I32)
    rows = members(net, top, pools)
    net.graph.expand(rows)
    live = _live(net, score, top, pools)
    numbers = ops.over(ops.made(live.ne, ops.over(live)))
    return masked(net, block, rows, live, numbers)


def _live(net: Net, score: Tensor, top: Tensor, pools: Pools) -> Tensor:
    """Which of the picked rows are there, told by the scores and by the numbers of the tail."""
    best, tokens = top.ne[0], top.ne[1]
    scores = ops.rows(ops.reshape(score, 1, score.ne[0], tokens), top)
    whole = ops.made(shape(pools.size, best, tokens), ops.over(ops.over(scores)))
    tail = ops.cast(net.input("tail rows", shape(pools.size - 1, tokens), I32), F32)
    tail = ops.over(ops.over(tail))
    return ops.concat(ops.reshape(whole, pools.size * best, tokens), tail, 0)


def _kept(net: Net, block: Block, x: Tensor, cache: Tensor, pools: Pools) -> None:
    """Keys of the batch's tokens, and the means of those of each pool, put into the cache."""
    tokens, size, new, many = x.ne[1], pools.head, pools.whole(net), pools.size
    key = net.linear(x, block, "indexer.k_proj")
    packed = ops.concat(key, ops.over(Tensor(shape(size, tokens), F32)), 0)
    target = ops.reshape(cache, cache.ne[0], cache.ne[1] * cache.ne[2])
    ids = net.input("ids indexer", shape(tokens), I64)
    net.graph.expand(ops.set_rows(target, packed, ids))
    fresh = ops.reshape(net.input("pool members", shape(many, new), I32), many * new)
    rows = ops.rows(rows_of(cache, size), fresh)
    step = 4 * size * many
    looks = [
        ops.view(rows, shape(size, new), (4, step, step * new, step * new)) for _ in range(many)
    ]
    mean = ops.cont(looks[0])
    for one in looks[1:]:
        mean = ops.over(mean, one)
    mean = net.norm(ops.over(mean), block, "indexer.k_norm")
    places = net.input("pool positions", shape(4 * new), I32)
    mean = ops.rope(ops.reshape(mean, size, 1, new), places)
    where = net.input("pool writes", shape(new), I64)
    flat = ops.reshape(mean, size, new)
    net.graph.expand(ops.set_rows(rows_of(cache, size), flat, where))

"""GLM-5-Next as a graph: hyper-connections around delta attention and attention to pools of rows.

An indexer keeps a key for every few tokens together, picks pools by their scores, and attention
sees the rows of those. Source: src/models/glm5-next.cpp and llama-memory-hybrid-idx.cpp, b11549,
with the fused lightning indexer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boxwright.plan.graph import hyper, kimi, ops
from boxwright.plan.graph.block import Block, MissingTensor
from boxwright.plan.graph.experts import Routing, mixture
from boxwright.plan.graph.latent import Latent, through_values
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.pools import Pools, masked, members, rows_of, scored
from boxwright.plan.graph.recurrent import Recurrence
from boxwright.plan.graph.tensors import APART, F32, I32, I64, Graph, Tensor, shape


@dataclass(frozen=True)
class Parts:
    """What the layers are made of."""

    routing: Routing
    latent: Latent | None
    recurrence: Recurrence | None
    pools: Pools


def build(net: Net, blocks: Sequence[Block], x: Tensor, parts: Parts) -> Graph:
    """The graph of one batch, from its embeddings on."""
    streams = blocks[0].dims.by_name["hc_attn_fn.weight"][0] // x.ne[0]
    tokens, outputs = net.batch.tokens, net.batch.outputs
    x = ops.made((x.ne[0], streams, tokens, 1), ops.reshape(x, x.ne[0], 1, tokens))
    for block in blocks:
        net.begin(block)
        x = _layer(net, block, x, parts)
    flat = ops.reshape(x, x.ne[0] * streams, tokens)
    flat = ops.rows(flat, net.input("outputs", shape(outputs), I32))
    step = 4 * x.ne[0] * streams
    looks = [
        ops.view(flat, shape(x.ne[0], outputs), (4, step, step * outputs, step * outputs))
        for _ in range(streams)
    ]
    total = looks[0]
    for one in looks[1:]:
        total = ops.over(total, one)
    net.graph.expand(net.linear(net.norm(ops.over(total), None, "output_norm"), None, "output"))
    return net.graph


def _layer(net: Net, block: Block, x: Tensor, parts: Parts) -> Tensor:
    mixed = hyper.before(net, block, x, "attn")
    cur = net.norm(mixed.x, block, "attn_norm")
    net.graph.expand(cur)
    if parts.latent is None or parts.recurrence is None:
        raise MissingTensor("attn_kv_a_mqa")
    if block.has("attn_kv_a_mqa.weight"):
        cur = attention(net, block, cur, parts.latent, parts.pools)
    else:
        cur = kimi.delta_attention(net, block, cur, parts.recurrence)
    after = hyper.after_apart if net.crosses else hyper.after
    x = after(cur, x, mixed)
    mixed = hyper.before(net, block, x, "ffn")
    cur = net.norm(mixed.x, block, "ffn_norm")
    if block.has("ffn_gate_inp.weight"):
        made = mixture(net, block, cur, parts.routing)
        cur = ops.over(made, net.feed_forward(cur, block, "_shexp"))
    else:
        cur = net.feed_forward(cur, block)
    return after(cur, x, mixed)


def attention(net: Net, block: Block, x: Tensor, geometry: Latent, pools: Pools) -> Tensor:
    """One layer's attention; one without an indexer sees what the last one with it saw."""
    tokens, rank = x.ne[1], geometry.rank
    low = net.norm(net.linear(x, block, "attn_q_a"), block, "attn_q_a_norm")
    q = ops.reshape(net.linear(low, block, "attn_q_b"), geometry.head_k, block.heads, tokens)
    content = net.norm(net.linear(x, block, "attn_kv_a_mqa"), block, "attn_kv_a_norm")
    content = ops.reshape(content, rank, 1, tokens)
    weight = net.needed(block, "attn_k_b.weight")
    query = ops.permute(ops.multiply(weight, ops.permute(q, 0, 2, 1, 3)), 0, 2, 1, 3)
    if block.has("indexer.proj.weight"):
        net.picked = _seen(net, block, x, low, pools)
    if net.picked is None:
        raise MissingTensor("indexer.proj")
    for one in (query, content):
        net.graph.expand(one)
    cells, streams = net.batch.cells, net.batch.streams
    cache = net.cache(block, rank, cells, net.batch.cache)
    net.store(block, cache, content, "k")
    k = ops.reshape(cache, rank, 1, cells, streams)
    made = through_values(net, query, k, k, net.needed(block, "attn_v_b.weight"), net.picked)
    return net.linear(made, block, "attn_output")


def _seen(net: Net, block: Block, x: Tensor, low: Tensor, pools: Pools) -> Tensor:
    """The mask of the rows that each token may see."""
    tokens, size = x.ne[1], pools.head
    query = ops.reshape(net.linear(low, block, "indexer.attn_q_b"), size, pools.heads, tokens)
    cache = net.cache(block, 3 * size, net.batch.cells, net.batch.cache)
    _kept(net, block, x, cache, pools)
    count = pools.padded(net)
    table = rows_of(cache, size)
    keys = ops.rows(table, net.input("pool cells", shape(count), I32))
    weights = ops.over(net.linear(x, block, "indexer.proj"))
    score = scored(net, query, keys, weights, pools)
    rows = _best(net, score, pools)
    net.graph.expand(rows)
    count = rows.ne[0]
    live = ops.reshape(net.input("live rows", shape(count, 1, 1, tokens)), count, tokens)
    return masked(net, block, rows, ops.over(live), Tensor(shape(count), F32, APART))


def _kept(net: Net, block: Block, x: Tensor, cache: Tensor, pools: Pools) -> None:
    """Keys of the batch's tokens, and those of the pools that they fill, put into the cache."""
    tokens, size = x.ne[1], pools.head
    new, many = pools.whole(net), pools.size
    key = net.norm(net.linear(x, block, "indexer.attn_k"), block, "indexer.k_norm", centred=True)
    gate = net.linear(x, block, "indexer_compressor_gate")
    nothing = ops.over(Tensor(shape(size, tokens), F32))
    packed = ops.concat(ops.concat(key, gate, 0), nothing, 0)
    ids = net.input("ids indexer", shape(tokens), I64)
    target = ops.reshape(cache, cache.ne[0], cache.ne[1] * cache.ne[2])
    net.graph.expand(ops.set_rows(target, packed, ids))
    source = ops.part(cache, 2 * size, cache.ne[1] * cache.ne[2])
    fresh = ops.reshape(net.input("pool members", shape(many, new), I32), many * new)
    rows = ops.rows(source, fresh)
    step = 8 * size
    nb = (4, step, step * many, step * many * new)
    keys, gates = (ops.view(rows, shape(size, many, new), nb) for _ in range(2))
    logits = ops.over(gates, net.needed(block, "indexer_compressor_ape.weight"))
    logits = ops.cont(ops.permute(logits, 1, 0, 2, 3))
    shares = ops.over(ops.reshape(logits, many, size * new))
    turned = ops.cont(ops.permute(keys, 1, 0, 2, 3))
    made = ops.row_sums(ops.over(ops.reshape(shares, many, size, new), turned))
    where = net.input("pool writes", shape(new), I64)
    net.graph.expand(ops.set_rows(rows_of(cache, size), ops.reshape(made, size, new), where))


def _best(net: Net, score: Tensor, pools: Pools) -> Tensor:
    """The rows of the best pools, in the order of their scores."""
    count, tokens = score.ne[0], score.ne[1]
    best = min(count, pools.top_k // pools.size)
    top = ops.made(shape(best, tokens), score, kind=I32)
    scores = ops.rows(ops.reshape(score, 1, count, tokens), top)
    order = ops.made(shape(best, tokens), ops.reshape(scores, best, tokens), kind=I32)
    top = ops.rows(ops.reshape(ops.cast(top, F32), 1, best, tokens), order)
    top = ops.cast(ops.cont(ops.reshape(top, best, tokens)), I32)
    return members(net, top, pools)

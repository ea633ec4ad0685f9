"""Hunyuan 4 as a graph: residual streams that do not mix, around latent attention and experts.

Source: src/models/hy-v4.cpp, b11549.
"""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.graph import latent, ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.experts import Routing, mixture
from boxwright.plan.graph.latent import Latent
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import I32, Graph, Tensor, shape


def build(
    net: Net, blocks: Sequence[Block], x: Tensor, routing: Routing, geometry: Latent
) -> Graph:
    """The graph of one batch, from its embeddings on."""
    streams = blocks[0].dims.by_name["hc_attn_fn.weight"][0] // x.ne[0]
    hidden, tokens = x.ne[0], net.batch.tokens
    x = ops.made((hidden, streams, tokens, 1), ops.reshape(x, hidden, 1, tokens))
    for block in blocks:
        net.begin(block)
        cur, post = _before(net, block, x, "attn")
        cur = latent.attention(net, block, net.norm(cur, block, "attn_norm"), geometry)
        x = _after(cur, x, post)
        cur, post = _before(net, block, x, "ffn")
        cur = _feed_forward(net, block, net.norm(cur, block, "ffn_norm"), routing)
        x = _after(cur, x, post)
    flat = ops.reshape(x, hidden * streams, tokens)
    flat = ops.rows(flat, net.input("outputs", shape(net.batch.outputs), I32))
    x = ops.reshape(flat, hidden, streams, net.batch.outputs)
    names = ("output_hc_fn.weight", "output_hc_scale.weight", "output_hc_base.weight")
    mixing, scale, base = (net.needed(None, name) for name in names)
    mixes = ops.multiply(mixing, _normed(x))
    x = _reduced(x, ops.over(ops.over(ops.over(ops.over(mixes, scale), base))))
    net.graph.expand(net.linear(net.norm(x, None, "output_norm"), None, "output"))
    return net.graph


def _feed_forward(net: Net, block: Block, x: Tensor, routing: Routing) -> Tensor:
    if not block.has("ffn_gate_inp.weight"):
        return net.feed_forward(x, block)
    return ops.over(mixture(net, block, x, routing), net.feed_forward(x, block, "_shexp"))


def _before(net: Net, block: Block, x: Tensor, part: str) -> tuple[Tensor, Tensor]:
    """The streams as one, and how a part's result is spread over them."""
    count, tokens = x.ne[1], x.ne[2]
    names = (f"hc_{part}_{name}.weight" for name in ("fn", "scale", "base"))
    mixing, scale, base = (net.needed(block, name) for name in names)
    mixes = ops.multiply(mixing, _normed(x))

    def weights(steps: int) -> Tensor:
        made = ops.over(ops.part(mixes, count, tokens), ops.part(scale, 1))
        made = ops.over(made, ops.part(base, count))
        for _ in range(steps):
            made = ops.over(made)
        return made

    before, after = weights(2), weights(3)
    return _reduced(x, before), after


def _normed(x: Tensor) -> Tensor:
    return ops.over(ops.reshape(x, x.ne[0] * x.ne[1], x.ne[2]))


def _streams(x: Tensor) -> list[Tensor]:
    tokens, step = x.ne[2], x.nb[2]
    nb = (4, step, step * tokens, step * tokens)
    return [ops.view(x, shape(x.ne[0], tokens), nb) for _ in range(x.ne[1])]


def _reduced(x: Tensor, weights: Tensor) -> Tensor:
    whole, tokens = ops.cont(x), x.ne[2]
    made: Tensor | None = None
    for stream in _streams(whole):
        one = ops.over(stream, ops.view(weights, shape(1, tokens), weights.nb))
        made = one if made is None else ops.over(made, one)
    assert made is not None
    return ops.cont(made)


def _after(x: Tensor, streams: Tensor, post: Tensor) -> Tensor:
    """The streams with a part's result added to each, by copies in F32."""
    x, post, whole = ops.cont(x), ops.cont(post), ops.cont(streams)
    hidden, tokens = x.ne[0], x.ne[1]
    made: Tensor | None = None
    for stream in _streams(whole):
        share = ops.over(x, ops.view(post, shape(1, tokens), post.nb))
        one = ops.reshape(ops.over(stream, share), hidden, 1, tokens)
        made = one if made is None else ops.concat(made, one, 1)
    assert made is not None
    return ops.cont(made)

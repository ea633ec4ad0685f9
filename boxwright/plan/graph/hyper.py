"""Hyper-connections: several residual streams, mixed before and after each part of a layer.

Source: `build_hc_*` of src/models/deepseek4.cpp, b11549, with the fused operations that GPUs have.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import Tensor, shape


@dataclass(frozen=True)
class Mixed:
    """What a part of a layer reads, and how its result goes back into the streams."""

    x: Tensor
    post: Tensor
    combination: Tensor


def before(net: Net, block: Block, streams: Tensor, part: str) -> Mixed:
    """The streams mixed into one; `part` is "attn" or "ffn"."""
    count, tokens = streams.ne[1], streams.ne[2]
    names = (f"hc_{part}_{name}.weight" for name in ("fn", "scale", "base"))
    mixing, scale, base = (net.needed(block, name) for name in names)
    mixes = ops.multiply(mixing, _normed(streams))
    pre = ops.over(ops.over(_affine(ops.part(mixes, count, tokens), scale, base)))
    post = ops.over(ops.over(_affine(ops.part(mixes, count, tokens), scale, base)))
    combination = ops.made(shape(count, count, tokens), mixes, scale, base)
    x = ops.made(shape(streams.ne[0], tokens), streams, pre)
    return Mixed(x, post, combination)


def after(x: Tensor, streams: Tensor, mixed: Mixed) -> Tensor:
    """The streams with a part's result added."""
    return ops.made(streams.ne, x, streams, mixed.post, mixed.combination)


def after_apart(x: Tensor, streams: Tensor, mixed: Mixed) -> Tensor:
    """The same in single steps, where a device boundary keeps it from being fused.

    llama.cpp fuses an operation only if each layer's lies on the layer's device; the last one of
    the layers in host RAM is drawn to the GPU that follows (`resolve_fused_ops`).
    """
    hidden, count, tokens = streams.ne[0], streams.ne[1], streams.ne[2]
    step = streams.nb[2]
    made: Tensor | None = None
    for _ in range(count):
        cur = ops.over(x, ops.view(mixed.post, shape(1, tokens), mixed.post.nb))
        for _ in range(count):
            stream = ops.view(
                streams, shape(hidden, tokens), (4, step, step * tokens, step * tokens)
            )
            share = mixed.combination
            share = ops.view(share, shape(1, tokens), (4, share.nb[2], share.nb[3], share.nb[3]))
            cur = ops.over(cur, ops.over(stream, share))
        cur = ops.reshape(cur, hidden, 1, tokens)
        made = cur if made is None else ops.concat(made, cur, 1)
    assert made is not None
    return made


def head(net: Net, streams: Tensor) -> Tensor:
    """The streams mixed into what the output reads; not fused."""
    count, tokens = streams.ne[1], streams.ne[2]
    names = ("output_hc_fn.weight", "output_hc_scale.weight", "output_hc_base.weight")
    mixing, scale, base = (net.needed(None, name) for name in names)
    mixes = ops.multiply(mixing, _normed(streams))
    weights = ops.over(ops.over(ops.over(ops.over(mixes, scale), base)))
    total: Tensor | None = None
    for _ in range(count):
        step = streams.nb[2]
        stream = ops.view(
            streams, shape(streams.ne[0], tokens), (4, step, step * tokens, step * tokens)
        )
        weight = ops.view(weights, shape(1, tokens), weights.nb)
        one = ops.over(stream, weight)
        total = one if total is None else ops.over(total, one)
    assert total is not None
    return total


def _normed(streams: Tensor) -> Tensor:
    flat = ops.reshape(streams, streams.ne[0] * streams.ne[1], streams.ne[2])
    return ops.over(flat)


def _affine(x: Tensor, scale: Tensor, base: Tensor) -> Tensor:
    return ops.over(ops.over(x, ops.part(scale, 1)), ops.part(base, x.ne[0]))

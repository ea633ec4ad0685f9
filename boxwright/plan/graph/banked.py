"""Kimi K3 as a graph: each part of a layer reads a mixture of what earlier layers ended with.

Every few layers what comes in is kept beside what was kept before; before each part a score of
all of these tells how much of each goes into it. Source: src/models/kimi-k3.cpp, b11549.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boxwright.plan.graph import kimi, latent, ops
from boxwright.plan.graph.block import Block, MissingTensor
from boxwright.plan.graph.experts import Routing, mixture, situ
from boxwright.plan.graph.latent import Latent
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.recurrent import Recurrence
from boxwright.plan.graph.tensors import I32, Graph, Tensor, shape


@dataclass(frozen=True)
class Parts:
    """What the layers are made of; every `every`-th one's input is kept."""

    routing: Routing
    latent: Latent | None
    recurrence: Recurrence | None
    every: int


def build(net: Net, blocks: Sequence[Block], x: Tensor, parts: Parts) -> Graph:
    """The graph of one batch, from its embeddings on."""
    kept: Tensor | None = None
    for block in blocks:
        net.begin(block)
        cur = _mixed(net, x, kept, block, "attn_res_score")
        banks = parts.every > 0 and block.number % parts.every == 0
        if banks:
            one = ops.reshape(x, x.ne[0], 1, x.ne[1])
            kept = one if kept is None else ops.concat(kept, one, 1)
        cur = net.norm(cur, block, "attn_norm")
        net.graph.expand(cur)
        cur = _sequence(net, block, cur, parts)
        x = cur if banks else ops.over(x, cur)
        cur = net.norm(_mixed(net, x, kept, block, "ffn_res_score"), block, "ffn_norm")
        x = ops.over(x, _feed_forward(net, block, cur, parts.routing))
    x = _mixed(net, x, kept, None, "output_res_score")
    x = ops.rows(x, net.input("outputs", shape(net.batch.outputs), I32))
    net.graph.expand(net.linear(net.norm(x, None, "output_norm"), None, "output"))
    return net.graph


def _mixed(net: Net, x: Tensor, kept: Tensor | None, block: Block | None, score: str) -> Tensor:
    if kept is None:
        return x
    weight, count, tokens = net.needed(block, f"{score}.weight"), kept.ne[1], x.ne[1]
    of_kept = ops.row_sums(ops.over(ops.over(kept), weight))
    of_x = ops.row_sums(ops.over(ops.over(x), weight))
    scores = ops.over(ops.concat(ops.reshape(of_kept, count, tokens), of_x, 0))
    share, own = (
        ops.cont(ops.view(scores, shape(width, tokens), scores.nb)) for width in (count, 1)
    )
    made = ops.made(shape(x.ne[0], tokens), kept, share)
    return ops.over(made, ops.over(x, own))


def _sequence(net: Net, block: Block, x: Tensor, parts: Parts) -> Tensor:
    if block.has("attn_kv_a_mqa.weight"):
        if parts.latent is None:
            raise MissingTensor("attn_kv_a_mqa")
        return latent.attention(net, block, x, parts.latent)
    if parts.recurrence is None:
        raise MissingTensor("kda")
    return kimi.delta_attention(net, block, x, parts.recurrence)


def _feed_forward(net: Net, block: Block, x: Tensor, routing: Routing) -> Tensor:
    if not block.has("ffn_gate_inp.weight"):
        return _plain(net, block, x, "")
    narrow = block.has("ffn_routed_down.weight")
    inside = net.linear(x, block, "ffn_routed_down") if narrow else x
    logits = net.linear(x, block, "ffn_gate_inp")
    made = mixture(net, block, inside, routing, logits=logits)
    if block.has("ffn_routed_norm.weight"):
        made = net.norm(made, block, "ffn_routed_norm")
    if narrow:
        made = net.linear(made, block, "ffn_routed_up")
    if block.has("ffn_gate_shexp.weight"):
        made = ops.over(made, _plain(net, block, x, "_shexp"))
    return made


def _plain(net: Net, block: Block, x: Tensor, suffix: str) -> Tensor:
    gate, up = (net.linear(x, block, f"ffn_{name}{suffix}") for name in ("gate", "up"))
    return net.linear(situ(gate, up), block, f"ffn_down{suffix}")

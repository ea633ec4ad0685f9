"""A whole model as a graph: embeddings, layers of every kind, output."""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.graph import (
    banked,
    cycles,
    deepseek4,
    encoders,
    gemma3n,
    gemma4,
    horizon,
    hunyuan4,
    ops,
    pooled,
    qwen4,
    switched,
)
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.layers import feed_forward, layer
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import Graph, Tensor, shape

PICTURE_TOKENS = 8192  # of Chameleon


def build(net: Net, blocks: Sequence[Block], style: Style) -> Graph:
    """The graph of one batch."""
    net.position_parts = style.position_parts
    if style.switched:
        return switched.build(net, blocks, style)
    if "altup_proj.weight" in net.outside.by_name:
        x = style.inputs.built(net)
        return gemma3n.build(net, blocks, style, x, gemma4.looked_up(net))
    if style.streams_gated:
        return qwen4.build(net, blocks, style, feed_forward)
    layers = gemma4.looked_up(net)
    x = encoders.placed(net, style.inputs) if style.headless else style.inputs.built(net)
    if layers is not None:
        layers = gemma4.projected(net, blocks[0], x, layers)
    elif gemma4.PROJECTION in net.outside.by_name:
        layers = gemma4.made_alone(net, blocks[0], x)
    if style.compression is not None:
        return deepseek4.build(net, blocks, x, style.routing, style.compression)
    if style.streams_apart and style.latent is not None:
        return hunyuan4.build(net, blocks, x, style.routing, style.latent)
    if style.pools is not None:
        pools = pooled.Parts(style.routing, style.latent, style.recurrence, style.pools)
        return pooled.build(net, blocks, x, pools)
    if style.banks_every is not None:
        parts = banked.Parts(style.routing, style.latent, style.recurrence, style.banks_every)
        return banked.build(net, blocks, x, parts)
    if style.stack:
        return cycles.build(net, blocks, style, x, layer)
    x = _placed(net, blocks[0], style, x)
    last = len(blocks) - 1 if style.rows_chosen else None
    stack = style.inputs.stack
    for index, block in enumerate(blocks):
        net.begin(block)
        x = stack.added(net, x, stack.before)
        x = layer(net, block, style, x, index == last)
        x = stack.added(net, x, stack.after)
        if not style.form:
            x = gemma4.after(net, block, x, layers, index == last)
        if style.ends_run(block.number) and index != last:
            x = net.norm(x, None, style.output_norm)
    if style.headless:
        return _embedded(net, style, x)
    x.output = style.hidden_kept
    if style.grouped_norms:
        x = horizon.norm(net, x, None, "output_norm")
    else:
        x = net.norm(x, None, style.output_norm, style.centred)
    if style.output_scaled:
        x.output = True
        x = ops.over(x)
    head = net.weight(None, "output.weight") or net.needed(None, "token_embd.weight")
    head.home = net.host if style.output_on_host else head.home
    logits = ops.multiply(head, x)
    bias = net.weight(None, "output.bias")
    logits = ops.over(logits, bias) if bias is not None else logits
    if style.logits_copied:  # those of pictures are overwritten, whose number is fixed
        logits = ops.apart(logits, ops.over(Tensor(shape(PICTURE_TOKENS))))
    net.graph.expand(logits)
    return net.graph


def _embedded(net: Net, style: Style, x: Tensor) -> Graph:
    """The end of a graph without an output."""
    if f"{style.output_norm}.weight" in net.outside.by_name:
        x = net.norm(x, None, style.output_norm, style.centred)
    if gemma4.PROJECTION in net.outside.by_name:  # to the size of an embedding
        x = net.linear(x, None, "output")
    x.output = True
    net.graph.expand(x)
    return net.graph


def _placed(net: Net, first: Block, style: Style, x: Tensor) -> Tensor:
    """The embeddings with one of each position added, or normed (GPT-2, BLOOM)."""
    if "position_embd.weight" in net.outside.by_name and not style.headless:
        table = Tensor(shape(*net.outside.by_name["position_embd.weight"]))
        table.home, table.weight = net.host, True
        x = ops.over(x, ops.rows(table, net.positions()))
    if style.first_norm:
        for part in ("weight", "bias"):
            if (found := net.weight(None, f"token_embd_norm.{part}")) is not None:
                found.home = first.device
        x = net.norm(x, None, "token_embd_norm", style.centred)
    return x

"""A model's layers: what mixes tokens, what feeds forward, and how both are summed."""

from __future__ import annotations

from boxwright.plan.graph import gemma4, horizon, kimi, latent, mamba, ops, recurrent, rwkv
from boxwright.plan.graph.attention import attention
from boxwright.plan.graph.block import Block, MissingTensor
from boxwright.plan.graph.experts import mixture
from boxwright.plan.graph.forms import FORMS
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import I32, Tensor, shape


def _outputs(net: Net, x: Tensor) -> Tensor:
    return ops.rows(x, net.input("outputs", shape(net.batch.outputs), I32))


def layer(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """One layer of any kind; of the last one only the rows that are read out are kept."""
    if style.form:
        return FORMS[style.form](net, block, style, x, last)
    if style.head:
        return rwkv.layer(net, block, x, style.head, last)
    if style.parallel:
        return _parallel_layer(net, block, style, x, last)
    if style.beside:
        return _layer_of_both(net, block, style, x, last)
    if style.grouped_norms:
        return _grouped_layer(net, block, style, x, last)
    if style.patchy and not (block.heads_kv and block.has("ffn_down.weight")):
        return _patchy_layer(net, block, style, x)
    before = x
    normed = style.bare_norms or block.has("attn_norm.weight")
    cur = net.norm(x, block, "attn_norm", style.centred) if normed else x
    if style.expand_norm:
        net.graph.expand(cur)
    read = cur
    cur = _sequence(net, block, style, cur)
    if last:
        cur, before = _outputs(net, cur), _outputs(net, before)
    if style.one_part:
        return ops.over(cur, before)
    bare = "ffn_norm" if style.bare_norms else ""
    pre = bare or block.norm_named("ffn_norm", "attn_output_norm") or "post_attention_norm"
    after = not normed or pre == "ffn_norm"
    if after and block.norm_named("post_attention_norm"):
        cur = net.norm(cur, block, "post_attention_norm", style.centred)
    if style.residual_scaled:
        cur = ops.over(cur)
    inside = ops.over(before, cur) if style.before_first else ops.over(cur, before)
    if block.has("pre_ffw_norm_2.weight"):
        cur = gemma4.feed_forward(net, block, inside, style.routing)
    else:
        if style.feeds_normed and pre == "post_attention_norm":
            cur = _outputs(net, read) if last else read
        else:
            cur = net.norm(inside, block, pre, style.centred) if normed else inside
        cur = feed_forward(net, block, style, cur)
    if block.norm_named("post_ffw_norm"):
        cur = net.norm(cur, block, "post_ffw_norm", style.centred)
    if style.residual_scaled:
        cur = ops.over(cur)
    return ops.over(inside, cur) if style.inside_first else ops.over(cur, inside)


def _parallel_layer(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Attention and feed-forward of what came in, both added to it (Command R, Falcon)."""
    normed = net.norm(x, block, "attn_norm", style.centred)
    second = block.has("attn_norm_2.weight")
    cur = net.norm(x, block, "attn_norm_2", style.centred) if second else normed
    cur = _sequence(net, block, style, cur)
    if last:
        cur, x = _outputs(net, cur), _outputs(net, x)
    if block.has("ffn_norm.weight"):
        normed = net.norm(x, block, "ffn_norm", style.centred)
    elif last:
        normed = _outputs(net, normed)
    parts = {"a": cur, "x": x, "f": feed_forward(net, block, style, normed)}
    first, *others = (parts[one] for one in style.parallel)
    for one in others:
        first = ops.over(first, one)
    return first


def _patchy_layer(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    """A layer that lost parts to pruning (Nemotron 51B): attention, or all but a matrix of it.

    Without a feed-forward part, attention is computed but comes to nothing (deci.cpp).
    """
    inside = x
    if block.has("attn_norm.weight"):
        cur = net.norm(x, block, "attn_norm")
        whole = block.heads_kv > 0
        cur = _sequence(net, block, style, cur) if whole else net.linear(cur, block, "attn_output")
        inside = ops.over(cur, x)
    if not block.has("ffn_down.weight"):
        return x
    cur = net.feed_forward(net.norm(inside, block, "ffn_norm"), block)
    return ops.over(cur, inside)


def _grouped_layer(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """A layer of K2 Horizon."""
    cur = horizon.norm(net, x, block, "attn_norm")
    cur = horizon.attention(net, block, cur, style.routing, style.value_experts_used)
    if last:
        cur, x = _outputs(net, cur), _outputs(net, x)
    inside = ops.over(cur, x)
    cur = feed_forward(net, block, style, horizon.norm(net, inside, block, "ffn_norm"))
    return ops.over(cur, inside)


def _layer_of_both(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Attention and a recurrence beside each other (Falcon-H1)."""
    if style.recurrence is None:
        raise MissingTensor("ssm")
    attended = attention(net, block, style, net.norm(x, block, "attn_norm"))
    mixed = recurrent.mamba2(net, block, net.norm(x, block, "attn_norm"), style.recurrence)
    inside = ops.over(ops.over(attended, mixed), x)
    if last:
        inside = _outputs(net, inside)
    cur = net.feed_forward(net.norm(inside, block, "ffn_norm"), block)
    return ops.over(cur, inside)


def _sequence(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    """What mixes tokens: attention or a recurrence; in some layers only feed-forward."""
    if block.has("ssm_conv1d.weight"):
        if style.recurrence is None:
            raise MissingTensor("ssm")
        if block.has("ssm_beta.weight") or block.has("ssm_ba.weight"):
            return recurrent.delta_net(net, block, x, style.recurrence)
        if block.has("ssm_x.weight"):
            first = block.has("ssm_dt_norm.weight") or not block.has("ssm_dt_norm")
            return (mamba.layer if first else mamba.plamo2)(net, block, x, style.recurrence)
        return recurrent.mamba2(net, block, x, style.recurrence)
    if block.has("ssm_conv1d_q.weight"):
        if style.recurrence is None:
            raise MissingTensor("kda")
        return kimi.delta_attention(net, block, x, style.recurrence)
    if block.has("shortconv.conv.weight"):
        if style.recurrence is None:
            raise MissingTensor("shortconv")
        return recurrent.short_convolution(net, block, x, style.recurrence)
    if block.has("attn_kv_a_mqa.weight"):
        if style.latent is None:
            raise MissingTensor("attn_kv_a_mqa")
        return latent.attention(net, block, x, style.latent)
    if block.has("attn_output.weight"):
        return attention(net, block, style, x)
    return feed_forward(net, block, style, x)


def feed_forward(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    """A dense part, or experts with the shared one."""
    if not block.has("ffn_gate_inp.weight"):
        return net.feed_forward(x, block)
    made = _routed(net, block, style, x)
    if block.has("ffn_up_shexp.weight"):
        shared = net.feed_forward(x, block, "_shexp")
        if block.has("ffn_gate_inp_shexp.weight"):
            logit = net.linear(x, block, "ffn_gate_inp_shexp")
            gate = ops.over(logit)
            gate = ops.over(gate, logit) if style.gate_divided else gate
            shared = ops.over(shared, gate)
        made = ops.over(made, shared)
    return made


def _routed(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    """Routed experts; those of Nemotron 3 Super work on fewer elements than a layer has."""
    narrowing = net.weight(block, "ffn_latent_down.weight")
    if narrowing is None:
        return mixture(net, block, x, style.routing)
    inside = ops.multiply(narrowing, x)
    logits = net.linear(x, block, "ffn_gate_inp")
    made = mixture(net, block, inside, style.routing, logits=logits)
    return ops.multiply(net.needed(block, "ffn_latent_up.weight"), made)

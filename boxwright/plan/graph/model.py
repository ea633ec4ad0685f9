"""A whole model as a graph: embeddings, layers of every kind, output."""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.graph import deepseek4, gemma4, latent, ops, recurrent
from boxwright.plan.graph.experts import mixture
from boxwright.plan.graph.net import Block, MissingTensor, Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import F32, I32, I64, Graph, Tensor, shape


def build(net: Net, blocks: Sequence[Block], style: Style) -> Graph:
    """The graph of one batch."""
    layers = gemma4.looked_up(net)
    x = embeddings(net, style)
    if layers is not None:
        layers = gemma4.projected(net, blocks[0], x, layers)
    if style.compression is not None:
        return deepseek4.build(net, blocks, x, style.routing, style.compression)
    last = len(blocks) - 1
    for index, block in enumerate(blocks):
        net.layer = index
        x = _layer(net, block, style, x, index == last)
        x = gemma4.after(net, block, x, layers, index == last)
    x.output = style.hidden_kept
    x = net.norm(x, None, style.output_norm, style.centred)
    head = net.weight(None, "output.weight") or net.needed(None, "token_embd.weight")
    logits = ops.multiply(head, x)
    bias = net.weight(None, "output.bias")
    net.graph.expand(ops.over(logits, bias) if bias is not None else logits)
    return net.graph


def embeddings(net: Net, style: Style) -> Tensor:
    """The rows of the batch's tokens, looked up on the host (`build_inp_embd`).

    Beside them lie the inputs for a batch of embeddings, and, where an architecture takes batches
    of both, a copy into which the tokens' rows are set.
    """
    hidden, tokens = net.outside.by_name["token_embd.weight"][0], net.batch.tokens
    table = Tensor(shape(*net.outside.by_name["token_embd.weight"]), F32)
    table.home, table.weight = net.host, True
    found = ops.rows(table, net.input("tokens", shape(tokens), I32))
    net.graph.expand(found)
    net.graph.expand(net.input("embeddings", shape(hidden, tokens)))
    if style.mixed_batches:
        some = ops.rows(table, net.input("mixed tokens", shape(tokens), I32))
        kept = ops.apart(net.input("mixed embeddings", shape(hidden, tokens)))
        net.graph.expand(some)
        net.graph.expand(ops.set_rows(kept, some, net.input("slots", shape(tokens), I64)))
    if style.embeddings_scaled:
        found = ops.over(found, net.input("scale rows", shape(1, tokens)))
    elif style.embeddings_multiplied:
        found = ops.over(found)
    net.graph.expand(found)
    return found


def _outputs(net: Net, x: Tensor) -> Tensor:
    return ops.rows(x, net.input("outputs", shape(net.batch.outputs), I32))


def _layer(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    if style.parallel:
        return _parallel_layer(net, block, style, x, last)
    if style.beside:
        return _layer_of_both(net, block, style, x, last)
    before = x
    cur = net.norm(x, block, "attn_norm", style.centred) if block.has("attn_norm.weight") else x
    if style.expand_norm:
        net.graph.expand(cur)
    cur = _sequence(net, block, style, cur)
    if last:
        cur, before = _outputs(net, cur), _outputs(net, before)
    if style.one_part:
        return ops.over(cur, before)
    pre = "ffn_norm" if block.has("ffn_norm.weight") else "post_attention_norm"
    after = not block.has("attn_norm.weight") or pre == "ffn_norm"
    if after and block.has("post_attention_norm.weight"):
        cur = net.norm(cur, block, "post_attention_norm", style.centred)
    if style.residual_scaled:
        cur = ops.over(cur)
    inside = ops.over(before, cur) if style.before_first else ops.over(cur, before)
    if block.has("pre_ffw_norm_2.weight"):
        cur = gemma4.feed_forward(net, block, inside, style.routing)
    else:
        skip = not block.has("attn_norm.weight")
        cur = inside if skip else net.norm(inside, block, pre, style.centred)
        cur = _feed_forward(net, block, style, cur)
    if block.has("post_ffw_norm.weight"):
        cur = net.norm(cur, block, "post_ffw_norm", style.centred)
    if style.residual_scaled:
        cur = ops.over(cur)
    return ops.over(inside, cur) if style.inside_first else ops.over(cur, inside)


def _parallel_layer(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Attention and feed-forward of one norm, both added to what came in (Command R)."""
    inside = net.norm(x, block, "attn_norm", style.centred)
    cur = _sequence(net, block, style, inside)
    if last:
        cur, x, inside = _outputs(net, cur), _outputs(net, x), _outputs(net, inside)
    made = _feed_forward(net, block, style, inside)
    return ops.over(ops.over(made, x), cur)


def _layer_of_both(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Attention and a recurrence beside each other (Falcon-H1)."""
    if style.recurrence is None:
        raise MissingTensor("ssm")
    attended = _attention(net, block, style, net.norm(x, block, "attn_norm"))
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
        return recurrent.mamba2(net, block, x, style.recurrence)
    if block.has("shortconv.conv.weight"):
        if style.recurrence is None:
            raise MissingTensor("shortconv")
        return recurrent.short_convolution(net, block, x, style.recurrence)
    if block.has("attn_kv_a_mqa.weight"):
        if style.latent is None:
            raise MissingTensor("attn_kv_a_mqa")
        return latent.attention(net, block, x, style.latent)
    if block.has("attn_output.weight"):
        return _attention(net, block, style, x)
    return _feed_forward(net, block, style, x)


def _attention(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    q, k, v = _projected(net, block, style, x)
    gate = None
    tokens = net.batch.tokens
    if style.gated_query:
        both = ops.reshape(q, 2 * block.head_k, block.heads, tokens)
        q = ops.view(both, (block.head_k, block.heads, tokens, 1), both.nb)
        gate = ops.view(both, (block.head_k, block.heads, tokens, 1), both.nb)
    if block.has("attn_q_norm.weight"):
        q = net.norm(q, block, "attn_q_norm", style.centred)
    if k is not None and block.has("attn_k_norm.weight"):
        k = net.norm(k, block, "attn_k_norm", style.centred)
    if style.flat_norms:
        q = ops.reshape(q, block.head_k, block.heads, tokens)
        k = ops.reshape(k, block.head_k, block.heads_kv, tokens) if k is not None else None
    if v is not None:
        v = ops.reshape(v, block.head_v, block.heads_kv, tokens)
        v = ops.over(v) if style.normed_values else v
    if block.ropes:
        factors = _rope_factors(net, block)
        q = ops.rope(q, net.positions(), *factors)
        k = ops.rope(k, net.positions(), *factors) if k is not None else None
    if style.scales_query(block):
        q = ops.over(q)
    if block.has("attn_gate.weight"):
        return _gated_heads(net, block, x, net.attention(block, q, k, v, project=False))
    if gate is None:
        return net.attention(block, q, k, v, sinks=net.weight(block, "attn_sinks.weight"))
    flat = block.head_k * block.heads
    if style.gate_first:
        gate = ops.cont(gate, flat, tokens)
    made = net.attention(block, q, k, v, project=False)
    if not style.gate_first:
        gate = ops.cont(gate, flat, tokens)
    made = ops.over(made, ops.over(gate))
    return net.linear(made, block, "attn_output")


def _rope_factors(net: Net, block: Block) -> list[Tensor]:
    """Frequencies of long contexts; where attention slides there are none (`get_rope_factors`)."""
    if block.window is not None:
        return []
    found = net.beside(block, "rope_freqs.weight", "rope_factors_long.weight")
    return [] if found is None else [found]


def _gated_heads(net: Net, block: Block, x: Tensor, made: Tensor) -> Tensor:
    """Each head's result times a gate of its own (Step 3.5)."""
    gate = ops.over(net.linear(x, block, "attn_gate"))
    apart = ops.reshape(made, block.head_v, block.heads, x.ne[1])
    gated = ops.over(apart, ops.reshape(gate, 1, block.heads, x.ne[1]))
    return net.linear(ops.reshape(gated, *made.ne[:2]), block, "attn_output")


def _projected(
    net: Net, block: Block, style: Style, x: Tensor
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """`build_qkv`: three projections, or one that is looked at in three parts."""
    tokens = net.batch.tokens
    sizes = ((block.head_k, block.heads), (block.head_k, block.heads_kv),
             (block.head_v, block.heads_kv))  # fmt: skip
    if block.has("attn_qkv.weight"):
        joined = net.linear(x, block, "attn_qkv")
        if style.flat_norms or style.gated_query:
            q, k, v = (ops.cont(ops.part(joined, a * b, tokens)) for a, b in sizes)
        else:
            q, k, v = (ops.heads_of(joined, a, b, tokens) for a, b in sizes)
        return q, k, v
    q = net.linear(x, block, "attn_q")
    key = net.linear(x, block, "attn_k") if block.keeps else None
    value = key
    if block.keeps and block.has("attn_v.weight"):
        value = net.linear(x, block, "attn_v")
    if not style.flat_norms and not style.gated_query:
        q = ops.reshape(q, block.head_k, block.heads, tokens)
    if key is not None and not style.flat_norms:
        key = ops.reshape(key, block.head_k, block.heads_kv, tokens)
    return q, key, value


def _feed_forward(net: Net, block: Block, style: Style, x: Tensor) -> Tensor:
    if not block.has("ffn_gate_inp.weight"):
        return net.feed_forward(x, block)
    made = mixture(net, block, x, style.routing)
    if block.has("ffn_up_shexp.weight"):
        shared = net.feed_forward(x, block, "_shexp")
        if block.has("ffn_gate_inp_shexp.weight"):
            gate = ops.over(net.linear(x, block, "ffn_gate_inp_shexp"))
            shared = ops.over(shared, gate)
        made = ops.over(made, shared)
    return made

"""Whole layers that are put together otherwise than most.

Sources: src/models/arctic.cpp, grok.cpp, grovemoe.cpp, smallthinker.cpp, talkie.cpp, b11549.
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.plan.graph import encoders, lightning, ops
from boxwright.plan.graph.attention import attention, projected
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.experts import mixture
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import F32, I32, Tensor, shape


def _chosen(net: Net, last: bool, *tensors: Tensor) -> list[Tensor]:
    """The rows that are read out, in the last layer."""
    if not last:
        return list(tensors)
    ids = net.input("outputs", shape(net.batch.outputs), I32)
    return [ops.rows(one, ids) for one in tensors]


def arctic(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """A dense part after attention, and experts over what came into the layer."""
    cur = attention(net, block, style, net.norm(x, block, "attn_norm"))
    cur, x = _chosen(net, last, cur, x)
    inside = ops.over(cur, x)
    dense = net.feed_forward(net.norm(inside, block, "ffn_norm"), block)
    dense = ops.over(dense, inside)
    made = mixture(net, block, net.norm(x, block, "ffn_norm_exps"), style.routing)
    return ops.over(made, dense)


def grok(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Norms after each part; Grok 2 has a dense part beside the experts."""
    cur = attention(net, block, style, net.norm(x, block, "attn_norm"))
    cur, x = _chosen(net, last, cur, x)
    inside = ops.over(net.norm(cur, block, "attn_output_norm"), x)
    cur = net.norm(inside, block, "ffn_norm")
    made = mixture(net, block, cur, style.routing)
    if block.has("ffn_up.weight"):
        made = ops.over(ops.over(net.feed_forward(cur, block), made))
    after = "layer_output_norm" if block.has("layer_output_norm.weight") else "post_ffw_norm"
    return ops.over(net.norm(made, block, after), inside)


def grove(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Further experts, one for each group of the usual ones, over what those made."""
    cur = attention(net, block, style, net.norm(x, block, "attn_norm"))
    cur, x = _chosen(net, last, cur, x)
    inside = ops.over(cur, x)
    cur = net.norm(inside, block, "ffn_norm")
    logits = net.linear(cur, block, "ffn_gate_inp")
    chosen = ops.best(ops.over(logits), block.used)
    first = mixture(net, block, cur, style.routing, logits, chosen)
    count = block.dims.by_name["ffn_up_chexps.weight"][2]
    fewer = replace(block, used=min(block.used, count))
    chosen = ops.best(ops.over(logits), fewer.used)
    chosen = ops.cast(ops.over(ops.cast(chosen, F32)), I32)
    second = mixture(net, fewer, first, style.routing, logits, chosen, "chexps")
    return ops.over(ops.over(first, ops.over(second)), inside)


def small_thinker(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Experts are chosen by what comes into the layer, before attention."""
    logits = net.linear(x, block, "ffn_gate_inp")
    cur = attention(net, block, style, net.norm(x, block, "attn_norm"))
    cur, x, logits = _chosen(net, last, cur, x, logits)
    inside = ops.over(cur, x)
    cur = net.norm(inside, block, "ffn_norm")
    return ops.over(mixture(net, block, cur, style.routing, logits=logits), inside)


def talkie(net: Net, block: Block, style: Style, x: Tensor, last: bool) -> Tensor:
    """Norms without weights, those of q and k after their turn; embeddings are added at last."""
    if net.embedded is None:
        net.embedded = x
    q, k, v = projected(net, block, style, ops.over(x))
    q = ops.rope(q, net.positions())
    k = ops.rope(k, net.positions()) if k is not None else None
    q = net.norm(q, block, "attn_q_norm")
    cur = net.attention(block, q, ops.over(k) if k is not None else None, v)
    cur, x, first = _chosen(net, last, cur, x, net.embedded)
    inside = ops.over(cur, x)
    cur = ops.over(net.feed_forward(ops.over(inside), block), inside)
    return ops.over(cur, ops.over(first, net.needed(block, "layer_output_scale.weight")))


FORMS = {
    "arctic": arctic,
    "bert": encoders.bert,
    "grok": grok,
    "grovemoe": grove,
    "jina-bert-v2": encoders.bert,
    "jina-bert-v3": encoders.bert,
    "minimax-01": lightning.layer,
    "modern-bert": encoders.modern,
    "nomic-bert": encoders.bert,
    "nomic-bert-moe": encoders.bert,
    "smallthinker": small_thinker,
    "talkie": talkie,
}

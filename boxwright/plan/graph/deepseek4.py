"""DeepSeek-V4 as a graph: hyper-connections around compressed attention and experts.

Source: src/models/deepseek4.cpp, b11549.
"""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.graph import compressed, hyper, ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.compressed import Compression
from boxwright.plan.graph.experts import Routing, mixture
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import I32, Graph, Tensor, shape


def build(
    net: Net, blocks: Sequence[Block], x: Tensor, routing: Routing, geometry: Compression
) -> Graph:
    """The graph of one batch, from its embeddings on."""
    net.graph.expand(net.mask(blocks[0]))
    streams = blocks[0].dims.by_name["hc_attn_fn.weight"][0] // x.ne[0]
    tokens = net.batch.tokens
    x = ops.reshape(x, x.ne[0], 1, tokens)
    x = ops.made((x.ne[0], streams, tokens, 1), x)
    for block in blocks:
        net.begin(block)
        x = _layer(net, block, x, routing, geometry)
    x.output = True  # kept for drafting (t_h_nextn)
    flat = ops.reshape(x, x.ne[0] * streams, tokens)
    chosen = ops.rows(flat, net.input("outputs", shape(net.batch.outputs), I32))
    x = ops.reshape(chosen, x.ne[0], streams, net.batch.outputs)
    x = net.norm(hyper.head(net, x), None, "output_norm")
    net.graph.expand(net.linear(x, None, "output"))
    return net.graph


def _layer(net: Net, block: Block, x: Tensor, routing: Routing, geometry: Compression) -> Tensor:
    mixed = hyper.before(net, block, x, "attn")
    cur = net.norm(mixed.x, block, "attn_norm")
    cur = compressed.attention(net, block, cur, geometry, _ratio(block))
    x = hyper.after(cur, x, mixed)
    mixed = hyper.before(net, block, x, "ffn")
    for one in (x, mixed.post, mixed.combination):
        net.graph.expand(one)
    cur = net.norm(mixed.x, block, "ffn_norm")
    table = net.weight(block, "ffn_gate_tid2eid.weight")
    chosen = None
    if table is not None:
        table.kind = I32
        chosen = ops.rows(table, net.input("tokens", shape(net.batch.tokens), I32))
    made = mixture(net, block, cur, routing, chosen=chosen)
    made = ops.over(made, net.feed_forward(cur, block, "_shexp"))
    return hyper.after(made, x, mixed)


def _ratio(block: Block) -> int:
    """How many tokens make one compressed row, told by the layer's tensors."""
    if block.has("indexer_compressor_kv.weight"):
        return compressed.CHOSEN
    return compressed.WHOLE if block.has("attn_compressor_kv.weight") else 0

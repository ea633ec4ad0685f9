"""What Gemma 4 adds: experts beside the feed-forward part, and an embedding for every layer.

Sources: src/models/gemma4.cpp, gemma-embedding2.cpp, b11669.
"""

from __future__ import annotations

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.experts import Routing, mixture
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import I32, Tensor, shape

TABLE, PROJECTION = "per_layer_token_embd.weight", "per_layer_model_proj.weight"


def looked_up(net: Net) -> Tensor | None:
    """The rows of every layer's embeddings, on the host."""
    if TABLE not in net.outside.by_name:
        return None
    table = Tensor(shape(*net.outside.by_name[TABLE]))
    table.home, table.weight = net.host, True
    found = ops.rows(table, net.input("tokens of layers", shape(net.batch.tokens), I32))
    net.graph.expand(found)
    return found


def projected(net: Net, first: Block, x: Tensor, rows: Tensor) -> Tensor:
    """These rows, scaled, with what the token's own embedding makes of them."""
    return mixed(net, first, x, ops.over(rows))


def mixed(net: Net, first: Block, x: Tensor, rows: Tensor) -> Tensor:
    """The rows with what the token's embedding makes of them, a slice for each layer."""
    made = _made(net, first, x)
    rows = rows if rows.ne[0] == made.ne[0] else ops.reshape(rows, *made.ne)
    return _by_layer(ops.over(ops.over(made, rows)))


def made_alone(net: Net, first: Block, x: Tensor) -> Tensor:
    """What the embedding makes for each layer, where there are no rows (EmbeddingGemma 2)."""
    return _by_layer(_made(net, first, x))


def _made(net: Net, first: Block, x: Tensor) -> Tensor:
    weight, norm = (net.needed(None, name) for name in (PROJECTION, "per_layer_proj_norm.weight"))
    weight.home = norm.home = first.device  # llama.cpp counts them to the first layer
    size = norm.ne[0]
    made = ops.over(ops.multiply(weight, x))
    made = ops.reshape(made, size, made.ne[0] // size, net.batch.tokens)
    return ops.over(ops.over(made), norm)


def _by_layer(made: Tensor) -> Tensor:
    size, layers, tokens = made.ne[:3]
    return ops.cont(ops.permute(made, 0, 2, 1, 3), size, tokens, layers)


def feed_forward(net: Net, block: Block, x: Tensor, routing: Routing) -> Tensor:
    """A usual feed-forward part and experts, each with norms of its own."""
    plain = net.feed_forward(net.norm(x, block, "ffn_norm"), block)
    plain = net.norm(plain, block, "post_ffw_norm_1")
    inside = net.norm(x, block, "pre_ffw_norm_2")
    scale, router = (net.needed(block, f"ffn_gate_inp.{name}") for name in ("scale", "weight"))
    logits = ops.multiply(router, ops.over(ops.over(ops.over(x)), scale))
    made = mixture(net, block, inside, routing, logits=logits)
    return ops.over(plain, net.norm(made, block, "post_ffw_norm_2"))


def after(net: Net, block: Block, x: Tensor, layers: Tensor | None, last: bool) -> Tensor:
    """The layer's own embedding added, and the layer scaled."""
    if layers is not None and block.has("inp_gate.weight"):
        own = ops.view(layers, shape(*layers.ne[:2]), layers.nb)
        gate = ops.over(net.linear(x, block, "inp_gate"))
        if last:
            own = ops.rows(own, net.input("outputs", shape(net.batch.outputs), I32))
        made = net.norm(net.linear(ops.over(gate, own), block, "proj"), block, "post_norm")
        x = ops.over(x, made)
    scale = net.weight(block, "layer_output_scale.weight")
    return ops.over(x, scale) if scale is not None else x

"""Embeddings of the last few tokens together, added to the residual streams of one layer (Qwen 4).

Source: `build_inp_ple` and `build_ple` of src/models/qwen4exp.cpp, b11549.
"""

from __future__ import annotations

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.recurrent import states
from boxwright.plan.graph.tensors import I32, Tensor, shape

TABLE = "per_layer_token_embd.weight"


def looked_up(net: Net) -> Tensor | None:
    """The rows of every token's n-grams side by side, on the host."""
    if TABLE not in net.outside.by_name:
        return None
    hidden, tokens = net.outside.by_name["token_embd.weight"][0], net.batch.tokens
    table = Tensor(shape(*net.outside.by_name[TABLE]))
    table.home, table.weight = net.host, True
    count = hidden // table.ne[0]
    found = ops.rows(table, net.input("n-grams", shape(count * tokens), I32))
    net.graph.expand(found)
    return ops.reshape(found, hidden, tokens)


def added(net: Net, block: Block, grams: Tensor | None, x: Tensor, size: int) -> Tensor:
    """The streams with what a layer makes of the n-grams of this size, if it does."""
    if grams is None or not block.has("ple_key.weight"):
        return x
    hidden, streams, tokens = x.ne[:3]

    def normed(one: Tensor, name: str) -> Tensor:
        made = ops.over(ops.reshape(one, hidden, streams, tokens))
        return ops.over(made, net.needed(block, f"{name}.weight"))

    key, value = net.linear(grams, block, "ple_key"), net.linear(grams, block, "ple_value")
    key, query = normed(key, "ple_norm_key"), normed(x, "ple_norm_query")
    score = ops.over(ops.row_sums(ops.over(key, query)))
    root = ops.over(ops.over(ops.over(score)))
    gate = ops.over(ops.over(ops.over(score), root))
    spread = ops.made((hidden, streams, tokens, 1), ops.reshape(value, hidden, 1, tokens))
    gated = ops.over(spread, gate)
    flat = normed(gated, "ple_norm_conv")
    made = _convolved(net, block, ops.reshape(flat, hidden * streams, tokens), size)
    made = ops.reshape(ops.cont(ops.over(made)), hidden, streams, tokens)
    return ops.over(x, ops.over(gated, made))


def _convolved(net: Net, block: Block, x: Tensor, dilation: int) -> Tensor:
    """A causal convolution whose taps lie apart, by shifted copies."""
    each, count, width = net.batch.each, net.batch.sequences, x.ne[0]
    kernel = net.needed(block, "ple_conv1d.weight")
    kept = (kernel.ne[0] - 1) * dilation
    store, found = states(net, block, kept * width)
    turned = ops.transpose(ops.reshape(x, width, each, count))
    joined = ops.concat(ops.reshape(found, kept, width, count), turned, 0)
    last = ops.cont(ops.view(joined, (kept, width, count, 1), joined.nb))
    net.graph.expand(ops.copy(last, ops.part(store, kept * width, count)))
    total: Tensor | None = None
    for _ in range(kernel.ne[0]):
        shifted = ops.view(joined, (each, width, count, 1), joined.nb)
        shifted = ops.cont(ops.transpose(shifted))
        tap = ops.cont(ops.view(kernel, (1, width, 1, 1), kernel.nb))
        term = ops.over(shifted, ops.reshape(tap, width))
        total = term if total is None else ops.over(total, term)
    assert total is not None
    return total

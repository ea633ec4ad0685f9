"""RWKV 6 and 7: each layer mixes over time, then over channels, both with the token before.

Sources: src/models/rwkv6.cpp, rwkv6-base.cpp, rwkv7.cpp, rwkv7-base.cpp, and those that keep Qwen's
feed-forward part: rwkv6qwen2.cpp, arwkv7.cpp, b11549.
"""

from __future__ import annotations

from collections.abc import Callable

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.recurrent import states
from boxwright.plan.graph.tensors import I32, Tensor, shape

PARTS = 5  # that RWKV 6 mixes: decay, key, value, receptance, gate


def layer(net: Net, block: Block, x: Tensor, head: int, last: bool) -> Tensor:
    """One layer; `head` is the width of a head."""
    hidden, tokens = x.ne[0], net.batch.tokens
    each, count = net.batch.each, net.batch.sequences
    x = ops.reshape(x, hidden, each, count)
    if block.has("ffn_norm.weight"):
        return _layer_with_feed_forward(net, block, x, head, last)
    store, found = states(net, block, 2 * hidden)
    shifts = ops.reshape(found, hidden, 2, count)
    normed = net.norm(x, block, "attn_norm", centred=True)
    cur = _mixed(net, block, normed, _before(shifts, normed), head)
    inside = ops.over(ops.reshape(cur, hidden, each, count), x)
    second = net.norm(inside, block, "attn_norm_2", centred=True)
    before = _before(shifts, second)
    ends = (ops.view(one, (hidden, 1, count, 1), one.nb) for one in (normed, second))
    kept = ops.part(ops.concat(next(ends), next(ends), 1), 2 * hidden * count)
    net.graph.expand(ops.copy(kept, ops.part(store, 2 * hidden, count)))
    inside, second, before = (ops.reshape(a, hidden, tokens) for a in (inside, second, before))
    if last:
        ids = net.input("outputs", shape(net.batch.outputs), I32)
        inside, second, before = (ops.rows(one, ids) for one in (inside, second, before))
    return ops.over(_channels(net, block, second, before), inside)


def _mixed(net: Net, block: Block, x: Tensor, before: Tensor, head: int) -> Tensor:
    """What the tokens so far make of each one."""
    mix = _time6 if block.has("time_mix_decay_w1.weight") else _time7
    return mix(net, block, x, before, head)


def _layer_with_feed_forward(net: Net, block: Block, x: Tensor, head: int, last: bool) -> Tensor:
    """Time is mixed, but no channels."""
    hidden, each, count = x.ne[0], x.ne[1], x.ne[2]
    store, found = states(net, block, hidden)
    normed = net.norm(x, block, "attn_norm")
    before = _before(ops.reshape(found, hidden, 1, count), normed)
    cur = _mixed(net, block, normed, before, head)
    end = ops.view(normed, (hidden, 1, count, 1), normed.nb)
    net.graph.expand(ops.copy(ops.part(end, hidden * count), ops.part(store, hidden, count)))
    inside = ops.over(ops.reshape(cur, hidden, each, count), x)
    inside = ops.reshape(inside, hidden, net.batch.tokens)
    if last:
        inside = ops.rows(inside, net.input("outputs", shape(net.batch.outputs), I32))
    made = net.feed_forward(net.norm(inside, block, "ffn_norm"), block)
    return ops.over(made, inside)


def _before(shifts: Tensor, x: Tensor) -> Tensor:
    """Each token's predecessor, the first one's from the state."""
    hidden, each, count = x.ne[0], x.ne[1], x.ne[2]
    kept = ops.view(shifts, (hidden, 1, count, 1), shifts.nb)
    return ops.concat(kept, ops.view(x, (hidden, each - 1, count, 1), x.nb), 1)


def _channels(net: Net, block: Block, x: Tensor, before: Tensor) -> Tensor:
    apart = ops.over(before, x)
    key = ops.over(ops.over(apart, net.needed(block, "channel_mix_lerp_k.weight")), x)
    gate = None
    if block.has("channel_mix_receptance.weight"):
        gate = ops.over(ops.over(apart, net.needed(block, "channel_mix_lerp_r.weight")), x)
        gate = ops.over(net.linear(gate, block, "channel_mix_receptance"))
    key = ops.over(ops.over(net.linear(key, block, "channel_mix_key")))
    made = net.linear(key, block, "channel_mix_value")
    return made if gate is None else ops.over(gate, made)


def _low_rank(net: Net, block: Block, x: Tensor, first: str, second: str) -> Tensor:
    """Through a narrow pair of projections with an activation between."""
    return net.linear(ops.over(net.linear(x, block, first)), block, second)


def _time6(net: Net, block: Block, x: Tensor, before: Tensor, head: int) -> Tensor:
    hidden, tokens = x.ne[0], net.batch.tokens
    apart, x = ops.reshape(ops.over(before, x), hidden, tokens), ops.reshape(x, hidden, tokens)
    decay, key, value, receptance, gate = _mixed6(net, block, x, apart)
    r = net.linear(receptance, block, "time_mix_receptance")
    k, v = (net.linear(one, block, f"time_mix_{name}") for name, one in
            (("key", key), ("value", value)))  # fmt: skip
    g = ops.over(net.linear(gate, block, "time_mix_gate"))
    k, v = (_spread(one, head, hidden // head) for one in (k, v))
    k, v, r = (ops.reshape(one, head, hidden // head, tokens) for one in (k, v, r))
    w = _low_rank(net, block, decay, "time_mix_decay_w1", "time_mix_decay_w2")
    w = ops.over(ops.over(w, net.needed(block, "time_mix_decay.weight")))
    w = ops.reshape(ops.over(ops.over(w)), head, hidden // head, tokens)
    first = net.weight(block, "time_mix_first.weight")
    if first is None:  # a gated linear attention
        sources: tuple[Tensor, ...] = (ops.over(k, ops.over(k, w)), v, r, w)
    else:
        sources = (k, v, r, first, w)
    made = _normed(net, block, _kept(net, block, sources, head, hidden), head)
    return net.linear(ops.over(made, g), block, "time_mix_output")


def _spread(x: Tensor, head: int, heads: int) -> Tensor:
    """Fewer heads of keys or values, each as often as queries share it."""
    own = x.ne[0] // head
    if own == heads:
        return x
    return ops.made((head, heads // own, own, x.ne[1]), ops.reshape(x, head, 1, own, x.ne[1]))


def _mixed6(net: Net, block: Block, x: Tensor, apart: Tensor) -> list[Tensor]:
    hidden, tokens = x.ne[0], x.ne[1]
    x3 = ops.over(ops.over(apart, net.needed(block, "time_mix_lerp_x.weight")), x)
    low = ops.over(net.linear(x3, block, "time_mix_w1"))
    low = ops.reshape(low, low.ne[0] // PARTS, 1, PARTS, tokens)
    low = ops.cont(ops.permute(low, 0, 1, 3, 2))
    weight = net.needed(block, "time_mix_w2.weight")
    weight.ne = shape(weight.ne[0], weight.ne[1], 1, PARTS)
    all_parts = ops.multiply(weight, low)
    step = 4 * hidden
    nb = (4, step, step * tokens, step * tokens)
    fused = net.weight(block, "time_mix_lerp_fused.weight")
    if fused is not None:
        apart, x = (ops.reshape(one, hidden, 1, tokens) for one in (apart, x))
        all_parts = ops.over(ops.over(ops.over(all_parts, fused), apart), x)
        return [ops.view(all_parts, shape(hidden, tokens), nb) for _ in range(PARTS)]
    views = [(one, ops.view(all_parts, shape(hidden, tokens), nb)) for one in "wkvrg"]
    return [
        ops.over(
            ops.over(ops.over(part, net.needed(block, f"time_mix_lerp_{one}.weight")), apart), x
        )
        for one, part in views
    ]


def _time7(net: Net, block: Block, x: Tensor, before: Tensor, head: int) -> Tensor:
    hidden, tokens = x.ne[0], net.batch.tokens
    gated = block.has("time_mix_g1.weight")
    apart = ops.over(before, x)
    apart = ops.made((*apart.ne[:3], 6 if gated else 5), apart)
    mixed = ops.over(ops.over(apart, net.needed(block, "time_mix_lerp_fused.weight")), x)
    nb = (4, 4 * hidden, 4 * hidden * tokens, 4 * hidden * tokens)

    def part() -> Tensor:
        return ops.view(mixed, shape(hidden, tokens), nb)

    def added(one: Tensor, name: str) -> Tensor:
        return ops.over(one, net.needed(block, f"time_mix_{name}.weight"))

    r = net.linear(part(), block, "time_mix_receptance")
    w = added(_low_rank(net, block, part(), "time_mix_w1", "time_mix_w2"), "w0")
    w = ops.over(ops.over(ops.over(w)))
    k = net.linear(part(), block, "time_mix_key")
    v = _values(net, block, part(), added)
    g = _low_rank(net, block, part(), "time_mix_g1", "time_mix_g2") if gated else None
    a = net.linear(net.linear(part(), block, "time_mix_a1"), block, "time_mix_a2")
    a = ops.over(added(a, "a0"))
    split = shape(head, hidden // head, tokens)
    keys = ops.apart(ops.reshape(added(k, "k_k"), *split))
    scaled = added(k, "k_a")
    k = ops.over(k, ops.over(ops.over(a, scaled), scaled))
    r, w, k, v, a = (ops.reshape(one, *split) for one in (r, w, k, v, a))
    sources = (r, w, k, v, ops.over(keys), ops.over(keys, a))
    made = _normed(net, block, _kept(net, block, sources, head, hidden), head)
    own = ops.reshape(net.needed(block, "time_mix_r_k.weight"), *split[:2])
    sums = ops.row_sums(ops.over(ops.over(k, r), own))  # a view of a weight draws nothing there
    made = ops.over(made, ops.reshape(ops.over(v, sums), hidden, tokens))
    return net.linear(ops.over(made, g) if g is not None else made, block, "time_mix_output")


def _values(net: Net, block: Block, x: Tensor, added: Callable[[Tensor, str], Tensor]) -> Tensor:
    """The values, in later layers drawn towards the first one's."""
    v = net.linear(x, block, "time_mix_value")
    if net.values is None:
        net.values = v
        return v
    low = net.linear(net.linear(x, block, "time_mix_v1"), block, "time_mix_v2")
    return ops.over(v, ops.over(ops.over(net.values, v), ops.over(added(low, "v0"))))


def _kept(
    net: Net, block: Block, sources: tuple[Tensor, ...], head: int, hidden: int
) -> Tensor:  # fmt: skip
    """What the state gives for each token; the state itself goes back into its store."""
    count, tokens = net.batch.sequences, net.batch.tokens
    store, found = states(net, block, head * hidden)
    made = ops.made(shape(hidden, tokens + head * count), *sources, found)
    kept = ops.part(made, head * hidden * count)
    net.graph.expand(ops.copy(kept, ops.part(store, head * hidden, count)))
    return ops.part(made, hidden * tokens)


def _normed(net: Net, block: Block, x: Tensor, head: int) -> Tensor:
    """A norm within each head, if there is one."""
    tokens = net.batch.tokens
    hidden = x.ne[0] // tokens
    if not block.has("time_mix_ln.weight"):
        return ops.reshape(x, hidden, tokens)
    made = ops.apart(ops.reshape(x, head, hidden // head, tokens))
    made = ops.over(ops.reshape(made, hidden, tokens), net.needed(block, "time_mix_ln.weight"))
    return ops.over(made, net.needed(block, "time_mix_ln.bias"))

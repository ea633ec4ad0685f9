"""Layers that keep a state instead of a cache: gated delta nets, Mamba, short convolutions.

Sources: src/models/delta-net-base.cpp, mamba-base.cpp, qwen3next.cpp, qwen35moe.cpp, lfm2.cpp and
`build_rs` of src/llama-graph.cpp, b11549. The fused delta net is what GPUs have and RPC devices
claim (`resolve_fused_ops`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import I32, Tensor, shape


@dataclass(frozen=True)
class Recurrence:
    """The geometry of a model's recurrent layers: `ssm.*` of the metadata; `normed` has B, C and
    the step normed though no weights tell it."""

    convolution: int
    inner: int
    state: int
    groups: int
    heads: int
    normed: bool = False

    @property
    def channels(self) -> int:
        """Channels that are convolved."""
        return self.inner + 2 * self.groups * self.state


Reader = Callable[[Tensor, Tensor], Tensor]


def states(
    net: Net, block: Block, elements: int, read: Reader | None = None
) -> tuple[Tensor, Tensor]:
    """The store of a state, and this batch's rows of it (`build_rs`)."""
    count = net.batch.sequences
    store = Tensor(shape(elements, count))
    store.home = block.device
    states = ops.reshape(store, elements, count)
    net.graph.expand(ops.scale_inside(ops.part(states, elements)))
    ids = net.input("states", shape(count), I32)
    gathered = ids if read is None else net.look("states tail", ids, count - 1)
    everything = ops.rows(states, gathered)
    found = ops.part(everything, elements, count)
    if read is not None:
        found = read(states, net.look("states main", ids, count))
    net.graph.expand(found)
    net.graph.expand(ops.copy(ops.part(everything, elements, 0), ops.part(store, elements, 0)))
    return store, found


def convolution(
    net: Net, block: Block, x: Tensor, geometry: Recurrence, channels: int, kernel: str,
    apart: bool = False,
) -> Tensor:  # fmt: skip
    """A causal convolution over the sequence, with what went before it."""
    kept = geometry.convolution - 1
    store, found = states(net, block, kept * channels)
    count = net.batch.sequences
    joined = ops.concat(ops.reshape(found, kept, channels, count), ops.transpose(x), 0)
    last = ops.view(joined, (kept, channels, count, 1), joined.nb)
    last = ops.cont(last) if apart else last
    net.graph.expand(ops.copy(last, ops.part(store, kept * channels, count)))
    weight = net.needed(block, f"{kernel}.weight")
    made = ops.made(shape(channels, net.batch.each, count), joined, weight)
    bias = net.weight(block, f"{kernel}.bias")
    return ops.over(made, bias) if bias is not None else made


def delta_net(
    net: Net, block: Block, x: Tensor, geometry: Recurrence, apart: bool = False
) -> Tensor:
    """A gated delta net, with the projections joined as Qwen3-Next has them, or apart.

    With `apart`, what is kept of the convolution is copied before it is stored (Qwen 4).
    """
    each, count = net.batch.each, net.batch.sequences
    heads, keys, size = geometry.heads, geometry.groups, geometry.state
    width = geometry.inner // heads
    mixed, z = _mixed(net, block, x, geometry)
    beta, gate = _gates(net, block, x, geometry)
    kernel = "ssm_conv1d"
    convolved = convolution(net, block, mixed, geometry, geometry.channels, kernel, apart)
    convolved = ops.over(convolved)
    store, found = states(net, block, width * width * heads)
    state = ops.reshape(found, width, width, heads, count)
    row = 4 * geometry.channels
    nb = (4, 4 * size, row, row * each)
    query, key = (
        ops.over(ops.over(ops.view(convolved, (size, keys, each, count), nb))) for _ in range(2)
    )
    if keys != heads and block.has("ssm_ba.weight"):
        query, key = (_repeated(one, heads, each, count) for one in (query, key))
    value = ops.view(convolved, (width, heads, each, count), nb)
    tokens = each * count
    sources = (query, key, value, gate, beta, state)
    result = ops.made(shape(width * heads, tokens + width * count), *sources)
    flat = width * heads * 4
    output = ops.view(result, (width, heads, each, count), (4, width * 4, flat, flat * each))
    kept = ops.view(result, (width, width, heads, count), (4, width * 4, width * width * 4, flat))
    net.graph.expand(ops.copy(kept, ops.part(store, width * width * heads, count)))
    normed = net.norm(output, block, "ssm_norm")
    gated = ops.over(normed, ops.over(ops.reshape(z, width, heads, each, count)))
    made = net.linear(ops.reshape(gated, width * heads, each, count), block, "ssm_out")
    return ops.reshape(made, made.ne[0], tokens)


def _repeated(one: Tensor, heads: int, each: int, count: int) -> Tensor:
    size, keys = one.ne[0], one.ne[1]
    apart = ops.reshape(one, size, 1, keys, each * count)
    more = ops.made((size, heads // keys, keys, each * count), apart)
    return ops.reshape(more, size, heads, each, count)


def _mixed(net: Net, block: Block, x: Tensor, geometry: Recurrence) -> tuple[Tensor, Tensor]:
    each, count = net.batch.each, net.batch.sequences
    if block.has("attn_qkv.weight"):
        mixed = ops.reshape(net.linear(x, block, "attn_qkv"), geometry.channels, each, count)
        return mixed, net.linear(x, block, "attn_gate")
    width, keys = geometry.inner // geometry.heads, geometry.groups
    values = width * geometry.heads // keys
    joined = ops.reshape(
        net.linear(x, block, "ssm_in"), 2 * geometry.state + 2 * values, keys, each, count
    )
    looks = [
        ops.view(joined, (size, keys, each, count), joined.nb)
        for size in (geometry.state, geometry.state, values, values)
    ]
    z = ops.cont(looks[3])
    query, key, value = (ops.cont(one, one.ne[0] * keys, each, count) for one in looks[:3])
    return ops.concat(ops.concat(query, key, 0), value, 0), z


def _gates(net: Net, block: Block, x: Tensor, geometry: Recurrence) -> tuple[Tensor, Tensor]:
    each, count, heads = net.batch.each, net.batch.sequences, geometry.heads
    if block.has("ssm_ba.weight"):
        share = heads // geometry.groups
        joined = net.linear(x, block, "ssm_ba")
        both = ops.reshape(joined, 2 * share, geometry.groups, each, count)
        looks = [ops.view(both, (share, geometry.groups, each, count), both.nb) for _ in range(2)]
        beta = ops.over(ops.cont(looks[0]))
        alpha = ops.cont(looks[1], heads, each, count)
    else:
        beta = ops.over(ops.reshape(net.linear(x, block, "ssm_beta"), 1, heads, each, count))
        alpha = ops.reshape(net.linear(x, block, "ssm_alpha"), heads, each, count)
    bias, decay = net.weight(block, "ssm_dt.bias"), net.weight(block, "ssm_a")
    gate = ops.over(ops.over(alpha, *([bias] if bias is not None else [])))
    gate = ops.over(gate, *([decay] if decay is not None else []))
    return ops.reshape(beta, 1, heads, each, count), ops.reshape(gate, 1, heads, each, count)


def mamba2(net: Net, block: Block, x: Tensor, geometry: Recurrence) -> Tensor:
    """A Mamba-2 layer."""
    each, count = net.batch.each, net.batch.sequences
    heads, size, groups = geometry.heads, geometry.state, geometry.groups
    width = geometry.inner // heads
    joined = net.linear(x, block, "ssm_in")
    joined = ops.reshape(joined, joined.ne[0], each, count)
    z = ops.view(joined, (width, heads, each, count), (4, 4 * width, joined.nb[1], joined.nb[2]))
    mixed = ops.view(joined, (geometry.channels, each, count, 1), joined.nb)
    steps = ops.view(joined, (heads, each, count, 1), joined.nb)
    convolved = ops.over(convolution(net, block, mixed, geometry, geometry.channels, "ssm_conv1d"))
    row = 4 * geometry.channels
    looks = [
        ops.view(convolved, (a, b, each, count), (4, 4 * a, row, row * each))
        for a, b in ((width, heads), (size, groups), (size, groups))
    ]
    steps = ops.over(ops.cont(steps), *present(net, block, "ssm_dt.bias"))
    decay = present(net, block, "ssm_a")

    def scan(states: Tensor, ids: Tensor) -> Tensor:
        table = ops.reshape(states, size, width, heads, count)
        elements = looks[0].elements + size * geometry.inner * count
        return ops.made(shape(elements), table, looks[0], steps, *decay, *looks[1:], ids)

    store, found = states(net, block, size * geometry.inner, scan)
    kept = ops.part(found, size * geometry.inner * count)
    net.graph.expand(ops.copy(kept, ops.part(store, size * geometry.inner, count)))
    flat = 4 * width * heads
    y = ops.view(found, (width, heads, each, count), (4, 4 * width, flat, flat * each))
    y = ops.over(y, ops.over(looks[0], *present(net, block, "ssm_d")))
    y = ops.glu(ops.cont(z), y)
    if block.has("ssm_norm.weight"):
        y = ops.reshape(y, geometry.inner // groups, groups, each, count)
        y = net.norm(y, block, "ssm_norm")
    return net.linear(ops.reshape(y, geometry.inner, each * count), block, "ssm_out")


def present(net: Net, block: Block, *names: str) -> list[Tensor]:
    """Those of these weights that are there."""
    found = [net.weight(block, name) for name in names]
    return [one for one in found if one is not None]


def short_convolution(net: Net, block: Block, x: Tensor, geometry: Recurrence) -> Tensor:
    """LFM2's gated short convolution."""
    each, count, width = net.batch.each, net.batch.sequences, x.ne[0]
    joined = net.linear(ops.reshape(x, width, each, count), block, "shortconv.in_proj")
    b, c, value = (ops.view(joined, (width, each, count, 1), joined.nb) for _ in range(3))
    mixed = ops.over(b, value)
    convolved = convolution(net, block, mixed, geometry, width, "shortconv.conv")
    made = net.linear(ops.over(c, convolved), block, "shortconv.out_proj")
    return ops.reshape(made, width, each * count)

"""The first Mamba's layers, and those of PLaMo 2, which turn its parts round.

Sources: `build_mamba_layer` of src/models/mamba-base.cpp, plamo2.cpp, b11549.
"""

from __future__ import annotations

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.recurrent import Recurrence, convolution, present, states
from boxwright.plan.graph.tensors import Tensor, shape


def layer(net: Net, block: Block, x: Tensor, geometry: Recurrence) -> Tensor:
    """One layer that keeps a state; each channel is a head of its own."""
    each, count, inner = net.batch.each, net.batch.sequences, geometry.inner
    joined = net.linear(ops.reshape(x, x.ne[0], each, count), block, "ssm_in")
    mixed, z = (ops.view(joined, (inner, each, count, 1), joined.nb) for _ in range(2))
    inside = ops.over(convolution(net, block, mixed, geometry, inner, "ssm_conv1d"))
    steps, b, c = _parts(net, block, inside, geometry.state, geometry.normed)
    heads = ops.reshape(inside, 1, inner, each, count)
    made = _scanned(net, block, heads, steps, (b, c), geometry)
    y = ops.view(made, (inner, each, count, 1), inside.nb)
    y = ops.over(y, ops.over(inside, *present(net, block, "ssm_d")))
    y = ops.glu(ops.cont(z), y)
    return ops.reshape(net.linear(y, block, "ssm_out"), x.ne[0], each * count)


def plamo2(net: Net, block: Block, x: Tensor, geometry: Recurrence) -> Tensor:
    """A layer of PLaMo 2: what is gated and what gates alternate head by head."""
    each, count, inner = net.batch.each, net.batch.sequences, geometry.inner
    heads, width = geometry.heads, geometry.inner // geometry.heads
    joined = net.linear(ops.reshape(x, x.ne[0], each, count), block, "ssm_in")
    joined = ops.cont(ops.permute(joined, 0, 2, 1, 3), 2 * width, heads, each, count)
    mixed, z = (ops.view(joined, (width, heads, each, count), joined.nb) for _ in range(2))
    mixed = ops.cont(mixed, inner, each, count)
    inside = ops.over(convolution(net, block, mixed, geometry, inner, "ssm_conv1d"))
    steps, b, c = _parts(net, block, inside, geometry.state, True)
    inside = ops.reshape(inside, width, heads, each, count)
    made = _scanned(net, block, inside, steps, (b, c), geometry)
    y = ops.view(made, inside.ne, inside.nb)
    y = ops.over(y, ops.over(inside, *present(net, block, "ssm_d")))
    y = ops.reshape(ops.glu(ops.cont(z), y), inner, each, count)
    return ops.reshape(net.linear(y, block, "ssm_out"), x.ne[0], each * count)


def _parts(
    net: Net, block: Block, x: Tensor, size: int, normed: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The step of each head, B and C; `normed` also where the norms have no weights."""
    each, count = net.batch.each, net.batch.sequences
    weight = net.needed(block, "ssm_dt.weight")
    joined = net.linear(x, block, "ssm_x")
    step = ops.view(joined, (weight.ne[0], each, count, 1), joined.nb)
    nb = (4, 4 * size, joined.nb[1], joined.nb[2])
    b, c = (ops.view(joined, (size, 1, each, count), nb) for _ in range(2))
    if normed or block.has("ssm_dt_norm.weight"):
        step = net.norm(step, block, "ssm_dt_norm")
        b, c = (net.norm(one, block, f"ssm_{name}_norm") for name, one in (("b", b), ("c", c)))
    else:
        step = ops.cont(step)
    return net.linear(step, block, "ssm_dt"), b, c


def _scanned(
    net: Net, block: Block, x: Tensor, steps: Tensor, others: tuple[Tensor, Tensor],
    geometry: Recurrence,
) -> Tensor:  # fmt: skip
    """The scan's result, whose last states are kept (`ggml_ssm_scan`)."""
    count, kept = net.batch.sequences, geometry.state * geometry.inner
    decay = present(net, block, "ssm_a")

    def scan(table: Tensor, ids: Tensor) -> Tensor:
        table = ops.reshape(table, geometry.state, x.ne[0], x.ne[1], count)
        sizes = shape(x.elements + kept * count)
        return ops.made(sizes, table, x, steps, *decay, *others, ids)

    store, found = states(net, block, kept, scan)
    net.graph.expand(ops.copy(ops.part(found, kept * count), ops.part(store, kept, count)))
    return found

"""ggml's operations, by what their results take: shape, type, and whether they may overwrite.

Source of every shape: ggml/src/ggml.c, b11549. Operations that do the same to memory share one
function: `over` stands for add, mul, scale, norm, rope, soft_max and the activations.
"""

from __future__ import annotations

from boxwright.plan.graph.tensors import (
    APART,
    ATTEND,
    F16,
    F32,
    I32,
    OVER,
    ROPE,
    SET,
    VIEW,
    Kind,
    Shape,
    Tensor,
    row_bytes,
    shape,
    strides,
)


def over(first: Tensor, *others: Tensor) -> Tensor:
    """A result like the first source, which may take its place or that of another one."""
    return Tensor(first.ne, first.kind, OVER, (first, *others))


def apart(first: Tensor, *others: Tensor) -> Tensor:
    """A result like the first source, in memory of its own."""
    return Tensor(first.ne, first.kind, APART, (first, *others))


def rope(first: Tensor, *others: Tensor) -> Tensor:
    """Rotary embedding; its weights (frequency factors) do not draw it to their device."""
    return Tensor(first.ne, first.kind, ROPE, (first, *others))


def made(sizes: Shape, *sources: Tensor, kind: Kind = F32) -> Tensor:
    """A new tensor of these dimensions."""
    return Tensor(sizes, kind, APART, sources)


def multiply(weight: Tensor, x: Tensor) -> Tensor:
    """`ggml_mul_mat`."""
    return Tensor((weight.ne[1], x.ne[1], x.ne[2], x.ne[3]), F32, APART, (weight, x))


def multiply_experts(weights: Tensor, x: Tensor, ids: Tensor) -> Tensor:
    """`ggml_mul_mat_id`: a row per expert that is used."""
    return Tensor((weights.ne[1], ids.ne[0], x.ne[2], 1), F32, APART, (weights, x, ids))


def rows(table: Tensor, ids: Tensor) -> Tensor:
    """`ggml_get_rows`."""
    kind = I32 if table.kind is I32 else F32
    return Tensor((table.ne[0], ids.ne[0], ids.ne[1], ids.ne[2]), kind, APART, (table, ids))


def set_rows(table: Tensor, values: Tensor, ids: Tensor) -> Tensor:
    """`ggml_set_rows`: writes into the table and shows it."""
    return _into(table, (values, ids, table))


def copy(values: Tensor, target: Tensor) -> Tensor:
    """`ggml_cpy`: writes into the target and shows it."""
    return _into(target, (values, target))


def scale_inside(target: Tensor) -> Tensor:
    """`ggml_scale_inplace`."""
    return _into(target, (target,))


def add_inside(target: Tensor, other: Tensor) -> Tensor:
    """`ggml_add_inplace`."""
    return _into(target, (target, other))


def _into(target: Tensor, sources: tuple[Tensor, ...]) -> Tensor:
    root = target.view if target.view is not None else target
    return Tensor(target.ne, target.kind, SET, sources, target.nb, root)


def view(a: Tensor, ne: Shape, nb: Shape) -> Tensor:
    """Another look at the same memory; `nb` are bytes from one element to the next."""
    root = a.view if a.view is not None else a
    return Tensor(ne, a.kind, VIEW, (a.src[0] if a.op == VIEW else a,), nb, root)


def part(a: Tensor, *sizes: int) -> Tensor:
    """The first elements of each row, with the strides of the whole."""
    ne = shape(*sizes)
    return view(a, ne, (a.nb[0], a.nb[1], a.nb[1] * ne[1], a.nb[1] * ne[1] * ne[2]))


def heads_of(a: Tensor, size: int, heads: int, tokens: int, gap: int | None = None) -> Tensor:
    """Heads within rows; `gap` elements from one head to the next."""
    step = row_bytes(a.kind, gap or size)
    return view(a, (size, heads, tokens, 1), (a.kind.bytes, step, a.nb[1], a.nb[1] * tokens))


def reshape(a: Tensor, *sizes: int) -> Tensor:
    """The same elements in other dimensions."""
    return view(a, found := shape(*sizes), strides(found, a.kind))


def permute(a: Tensor, *axes: int) -> Tensor:
    """`ggml_permute`: dimension i goes to place axes[i]."""
    ne, nb = [0, 0, 0, 0], [0, 0, 0, 0]
    for source, target in enumerate(axes):
        ne[target], nb[target] = a.ne[source], a.nb[source]
    return view(a, (ne[0], ne[1], ne[2], ne[3]), (nb[0], nb[1], nb[2], nb[3]))


def transpose(a: Tensor) -> Tensor:
    """The first two dimensions swapped."""
    return permute(a, 1, 0, 2, 3)


def cont(a: Tensor, *sizes: int) -> Tensor:
    """A copy without gaps, in other dimensions if they are given."""
    return Tensor(shape(*sizes) if sizes else a.ne, a.kind, APART, (a,))


def cast(a: Tensor, kind: Kind) -> Tensor:
    """The same elements of another type."""
    return Tensor(a.ne, kind, APART, (a,))


def concat(a: Tensor, b: Tensor, dimension: int) -> Tensor:
    """One after the other along a dimension."""
    ne = list(a.ne)
    ne[dimension] += b.ne[dimension]
    return Tensor((ne[0], ne[1], ne[2], ne[3]), a.kind, APART, (a, b))


def glu(gate: Tensor, up: Tensor | None = None) -> Tensor:
    """A gated activation of two tensors, or of the halves of one."""
    if up is not None:
        return Tensor(gate.ne, gate.kind, APART, (gate, up))
    return Tensor((gate.ne[0] // 2, *gate.ne[1:]), gate.kind, APART, (gate,))


def gated(gate: Tensor, up: Tensor, clamped: bool) -> Tensor:
    """SwiGLU, in steps where both are clamped (Step 3.5)."""
    if not clamped:
        return glu(gate, up)
    up = over(up)
    return over(over(over(gate)), up)


def row_sums(a: Tensor) -> Tensor:
    """`ggml_sum_rows`."""
    return Tensor((1, *a.ne[1:]), F32, APART, (a,))


def best(a: Tensor, count: int) -> Tensor:
    """`ggml_argsort_top_k`: the whole order, and a view of its beginning."""
    order = Tensor(a.ne, I32, APART, (a,))
    return view(order, (count, *a.ne[1:]), order.nb)


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, sinks: Tensor | None = None
) -> Tensor:
    """`ggml_flash_attn_ext`: sinks do not draw it to their device."""
    sources = [one for one in (q, k, v, mask, sinks) if one is not None]
    return Tensor((v.ne[0], q.ne[2], q.ne[1], q.ne[3]), F32, ATTEND, sources)


def half(a: Tensor) -> Tensor:
    """F32 as F16, as flash attention needs it."""
    return cast(a, F16) if a.kind is F32 else a

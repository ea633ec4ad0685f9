"""A graph of tensors as ggml builds it: shapes, strides and who reads what; no values.

Only what decides memory is kept of ggml's rules (ggml/src/ggml.c, b11549): sizes, views, which
tensor may overwrite its source, and the order in which nodes are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


class Kind(NamedTuple):
    """An element type: `bytes` are those of a block of `elements`."""

    name: str
    elements: int
    bytes: int


F32, F16 = Kind("f32", 1, 4), Kind("f16", 1, 2)
I32, I64 = Kind("i32", 1, 4), Kind("i64", 1, 8)

Shape = tuple[int, int, int, int]

# Leaves; views without work of their own; operations that write into another tensor; those that
# may overwrite a source (ggml_op_can_inplace, ggml-alloc.c); and those that may not.
NONE, VIEW, SET, OVER, APART = "none", "view", "set", "over", "apart"
# Rope (overwrites) and flash attention (does not) are not drawn to where a weight lies.
ROPE, ATTEND = "rope", "attend"


class Tensor:
    """One tensor. `op` says how its result is kept, not what is computed.

    `view` is the tensor whose memory this one shows; `home` the backend whose buffer holds it
    before the graph runs (weights and caches), `weight` whether that draws operations there.
    `section` and `number` tell where in the graph it stands, once that is cut.
    """

    __slots__ = (
        "home",
        "input",
        "kind",
        "nb",
        "ne",
        "number",
        "op",
        "output",
        "section",
        "seen",
        "size",
        "src",
        "view",
        "weight",
    )

    def __init__(
        self,
        ne: Shape,
        kind: Kind = F32,
        op: str = NONE,
        src: Sequence[Tensor] = (),
        nb: Shape | None = None,
        view: Tensor | None = None,
    ) -> None:
        self.ne, self.kind, self.op = ne, kind, op
        self.src = list(src)
        self.view = view
        if nb is None:
            self.nb = strides(ne, kind)
            self.size = 0 if view is not None else self.nb[3] * ne[3]
        else:
            self.nb = nb
            self.size = 0 if view is not None else byte_size(ne, nb, kind)
        self.home: int | None = None
        self.weight = self.input = self.output = self.seen = False
        self.section = self.number = -1

    @property
    def rows(self) -> int:
        """Everything but the first dimension."""
        return self.ne[1] * self.ne[2] * self.ne[3]

    @property
    def elements(self) -> int:
        """How many elements there are."""
        return self.ne[0] * self.rows

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie in order without gaps."""
        return self.nb == strides(self.ne, self.kind)


def shape(*sizes: int) -> Shape:
    """Four dimensions, the missing ones 1."""
    a, b, c, d = (*sizes, 1, 1, 1, 1)[:4]
    return a, b, c, d


def row_bytes(kind: Kind, elements: int) -> int:
    """Bytes of a row of so many elements."""
    return elements // kind.elements * kind.bytes


@lru_cache(maxsize=4096)
def strides(ne: Shape, kind: Kind) -> Shape:
    """Bytes from one element to the next in each dimension, without gaps."""
    first = row_bytes(kind, ne[0])
    return kind.bytes, first, first * ne[1], first * ne[1] * ne[2]


def byte_size(ne: Shape, nb: Shape, kind: Kind) -> int:
    """From the first byte to the last, as `ggml_nbytes` counts."""
    if 0 in ne:
        return 0
    if kind.elements > 1:
        first = ne[0] * nb[0] // kind.elements
    else:
        first = kind.bytes + (ne[0] - 1) * nb[0]
    return first + (ne[1] - 1) * nb[1] + (ne[2] - 1) * nb[2] + (ne[3] - 1) * nb[3]


class Graph:
    """Nodes in the order of computing, and the leaves that are allocated (not weights or caches).

    Views are no nodes: whoever reads one reads the tensor that it shows, its only source.
    """

    def __init__(self) -> None:
        self.nodes: list[Tensor] = []
        self.leaves: list[Tensor] = []
        self.cuts = [(0, 0)]

    def cut(self) -> None:
        """Begin a section with what comes next."""
        self.cuts.append((len(self.nodes), len(self.leaves)))

    def expand(self, tensor: Tensor) -> None:
        """Add a tensor after everything it rests on (`ggml_build_forward_expand`)."""
        if tensor.op == VIEW:
            tensor = tensor.src[0]
        if tensor.seen:
            return
        tensor.seen = True
        for source in tensor.src:
            base = source.src[0] if source.op == VIEW else source
            if not base.seen:
                self.expand(base)
        if tensor.op != NONE:
            self.nodes.append(tensor)
        elif tensor.home is None:
            self.leaves.append(tensor)

"""Cuts a graph into sections, and writes what each has to do with the others."""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.graph.sections import (
    FIRST_HOME,
    HOST_HOME,
    LOOKS,
    NOTHING,
    PARTS,
    Home,
    Leaf,
    Node,
    Ref,
    Section,
    Source,
)
from boxwright.plan.graph.tensors import (
    ATTEND,
    NONE,
    OVER,
    ROPE,
    SET,
    VIEW,
    Graph,
    Tensor,
    byte_size,
)

ALIGNMENT = 128  # of CUDA's buffers; the host's is smaller


class NotCut(ValueError):
    """Sections share more than plain tensors, so this graph has to stay in one piece."""


def sections(graph: Graph, reach: Sequence[int]) -> list[Section]:
    """The sections of a graph, which begin where it was cut; raises NotCut.

    `reach` is for each how far back it may refer to sections by distance.
    """
    ends = [*graph.cuts[1:], (len(graph.nodes), len(graph.leaves))]
    parts = [
        (graph.nodes[a:c], graph.leaves[b:d])
        for (a, b), (c, d) in zip(graph.cuts, ends, strict=True)
    ]
    for number, (nodes, leaves) in enumerate(parts):
        for tensor, node in enumerate(reversed(nodes)):
            node.section, node.number = number, tensor
        for tensor, leaf in enumerate(leaves):
            leaf.section, leaf.number = number, -1 - tensor
    return [
        _Writer(number, reach[number], len(nodes)).written(nodes, leaves)
        for number, (nodes, leaves) in enumerate(parts)
    ]


def padded(size: int) -> int:
    """Bytes as buffers give them out."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class _Writer:
    def __init__(self, number: int, reach: int, nodes: int) -> None:
        self._number, self._reach, self._nodes = number, reach, nodes
        self._homes: dict[int, int] = {}
        self._externals: dict[int, Ref] = {}
        self._numbers: dict[int, int] = {}
        self._sources: dict[int, Source] = {}
        self._readers: dict[int, int] = {}

    def written(self, nodes: Sequence[Tensor], leaves: Sequence[Tensor]) -> Section:
        made = tuple(self._node(number, node) for number, node in enumerate(nodes))
        return Section(
            made,
            tuple(
                Leaf(leaf.input, padded(leaf.size), self._readers.get(id(leaf), NOTHING))
                for leaf in leaves
            ),
            tuple(self._externals.values()),
            tuple(self._home_of(symbol) for symbol in self._homes),
        )

    def _distance(self, section: int) -> tuple[int, bool]:
        distance = self._number - section
        return (distance, True) if distance <= self._reach else (section, False)

    def _home_of(self, symbol: int) -> Home:
        if symbol < FIRST_HOME:
            return Home(NOTHING, symbol, False)
        layer, part = divmod(symbol - FIRST_HOME, PARTS)
        section, back = self._distance(layer + 1)
        return Home(part, section if back else layer, back)

    def _node(self, number: int, node: Tensor) -> Node:
        sources = []
        for source in node.src:
            known = self._sources.get(id(source))
            if known is None:
                known = self._sources[id(source)] = self._source(number, source)
            sources.append(known)
        view = node.view
        root = NOTHING
        if view is not None and view.home is None:
            root = self._tensor(view)
            if root >= self._nodes:
                raise NotCut
        return Node(
            node.op == OVER or node.op == ROPE,
            view is not None,
            node.output,
            root,
            self._drawn_to(node),
            padded(node.size),
            (node.ne, node.nb, node.kind),
            tuple(sources),
        )

    def _drawn_to(self, node: Tensor) -> int:
        home = node.view.home if node.view is not None else None
        if home is None and node.op != ROPE and node.op != ATTEND:
            home = next((one.home for one in node.src if one.weight), None)
        return NOTHING if home is None else self._home(home)

    def _source(self, reader: int, source: Tensor) -> Source:
        is_view, root = source.op == VIEW, source.view
        base, lying = (source.src[0], root or source) if is_view else (source, source)
        home = source.home if root is None else root.home
        tensor = lies = NOTHING
        if home is None:
            tensor = self._tensor(base)
            if lying.input:
                home = HOST_HOME
            elif lying.op == NONE:
                lies = self._readers.setdefault(id(lying), reader)
            else:
                lies = self._tensor(lying)
        number = len(self._sources)
        if source.section == NOTHING:
            source.section, source.number = self._number, LOOKS + number
        return Source(
            tensor,
            lies,
            NOTHING if home is None else self._home(home),
            source.weight,
            not is_view,
            padded(byte_size(source.ne, source.nb, source.kind)),
            (source.ne, source.nb, source.kind),
            number,
            None if source.section == self._number else self._ref(source),
        )

    def _tensor(self, tensor: Tensor) -> int:
        if tensor.home is not None:
            return NOTHING
        if tensor.section == self._number and tensor.number >= 0:
            return self._nodes - 1 - tensor.number
        foreign = tensor.section != self._number
        if foreign and (tensor.op == SET or (tensor.op == NONE and not tensor.input)):
            raise NotCut
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = self._nodes + len(self._externals)
            self._externals[id(tensor)] = self._ref(tensor)
        return self._numbers[id(tensor)]

    def _ref(self, tensor: Tensor) -> Ref:
        """By distance what moves on with the layers, as inputs and looks at them do not."""
        root = tensor if tensor.view is None else tensor.view
        if root.input:
            return Ref(tensor.section, False, tensor.number)
        return Ref(*self._distance(tensor.section), tensor.number)

    def _home(self, symbol: int) -> int:
        return self._homes.setdefault(symbol, len(self._homes))

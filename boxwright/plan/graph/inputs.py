"""What goes into the first layer, and what pictures add to later ones.

Source: `build_inp_embd` of src/llama-graph.cpp, src/models/qwen3vl.cpp and granite.cpp, b11549.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import F32, I32, I64, Tensor, shape


@dataclass(frozen=True)
class Stack:
    """`parts` of an embedding's rows are added `before` or `after` these layers, not at first."""

    parts: int = 0
    before: frozenset[int] = frozenset()
    after: frozenset[int] = frozenset()

    def added(self, net: Net, x: Tensor, layers: frozenset[int]) -> Tensor:
        """x with the part that belongs to the present layer, if that is one of these."""
        if net.layer not in layers or net.embedded is None:
            return x
        return ops.over(x, ops.view(net.embedded, x.ne, net.embedded.nb))


def stack_of(metadata: Metadata) -> Stack:
    """The stack of a model that sees pictures (Qwen3-VL, Granite 4 Vision)."""
    mapping = str(metadata.values.get(f"{metadata.architecture}.deepstack_mapping", ""))
    if numbers := {n: int(one) for n, one in enumerate(mapping.split(",")) if one.isdigit()}:
        return Stack(len(set(numbers.values())), before=frozenset(numbers) - {0})
    parts = metadata.at("n_deepstack_layers")
    return Stack(parts, after=frozenset(range(parts)))


@dataclass(frozen=True)
class Inputs:
    """How embeddings come in: `mixed` with those of tokens in one batch; their rows `scaled` one by
    one, or `multiplied` together."""

    mixed: bool = True
    scaled: bool = False
    multiplied: bool = False
    stack: Stack = Stack()

    def built(self, net: Net) -> Tensor:
        """The rows of the batch's tokens, looked up on the host.

        Beside them lie the inputs for a batch of embeddings, and, where an architecture takes
        batches of both, a copy into which the tokens' rows are set.
        """
        hidden, tokens = net.outside.by_name["token_embd.weight"][0], net.batch.tokens
        wide = hidden * (1 + self.stack.parts)
        table = Tensor(shape(*net.outside.by_name["token_embd.weight"]), F32)
        table.home, table.weight = net.host, True
        found = ops.rows(table, net.input("tokens", shape(tokens), I32))
        net.graph.expand(found)
        some = ops.rows(table, net.input("mixed tokens", shape(tokens), I32))
        if self.mixed:
            net.graph.expand(some)
        found = self._widened(found, wide)
        net.graph.expand(found)
        net.graph.expand(net.input("embeddings", shape(wide, tokens)))
        if self.mixed:
            kept = ops.apart(net.input("mixed embeddings", shape(wide, tokens)))
            slots = net.input("slots", shape(tokens), I64)
            net.graph.expand(ops.set_rows(kept, self._widened(some, wide), slots))
        if self.stack.parts:
            found = net.embedded = ops.view(found, shape(hidden, tokens), found.nb)
        found = self._scaled(net, found)
        net.graph.expand(found)
        return found

    @staticmethod
    def _widened(rows: Tensor, wide: int) -> Tensor:
        return rows if rows.ne[0] == wide else ops.made((wide, *rows.ne[1:]), rows)

    def _scaled(self, net: Net, found: Tensor) -> Tensor:
        if not self.scaled and not self.multiplied:
            return found
        found = found if found.contiguous else ops.cont(found)
        if self.scaled or self.stack.parts:
            return ops.over(found, net.input("scale rows", shape(1, net.batch.tokens)))
        return ops.over(found)

"""How much memory a graph needs, as ggml's allocator gives it out and takes it back.

Source: ggml/src/ggml-alloc.c, b11549: the best fitting hole, else the end; a node may take over
its source's memory when nobody else reads that.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from boxwright.plan.graph.split import Plan
from boxwright.plan.graph.tensors import NONE, OVER, ROPE, VIEW, Tensor

ALIGNMENT = 128  # of CUDA's buffers; the host's is smaller
ENDLESS = 1 << 62


class _Pool:
    """Free ranges of one buffer, by offset; the last one has no end."""

    def __init__(self) -> None:
        self.offsets, self.sizes = [0], [ENDLESS]
        self.most = 0
        self.odd = False

    def take(self, size: int) -> int:
        """The offset of so many bytes."""
        last = len(self.sizes) - 1
        best, best_size = last, ENDLESS
        for index in range(last):
            free = self.sizes[index]
            if size <= free <= best_size:
                best, best_size = index, free
        offset = self.offsets[best]
        if self.sizes[best] == size:
            del self.offsets[best], self.sizes[best]
        else:
            self.offsets[best] += size
            self.sizes[best] -= size
        self.most = max(self.most, offset + size)
        return offset

    def give(self, offset: int, size: int) -> None:
        """Take back what `take` gave, or a part of it."""
        offsets, sizes = self.offsets, self.sizes
        self.odd = self.odd or not size
        if self.odd:
            self._give_among_empty(offset, size)
            return
        index = bisect_right(offsets, offset)
        if index and offsets[index - 1] + sizes[index - 1] == offset:
            sizes[index - 1] += size
            if offset + size == offsets[index]:
                sizes[index - 1] += sizes[index]
                del offsets[index], sizes[index]
        elif offset + size == offsets[index]:
            offsets[index] = offset
            sizes[index] += size
        else:
            offsets.insert(index, offset)
            sizes.insert(index, size)

    def _give_among_empty(self, offset: int, size: int) -> None:
        """The same where empty ranges may lie inside of others, as empty tensors leave them."""
        offsets, sizes = self.offsets, self.sizes
        for index, start in enumerate(offsets):
            if start + sizes[index] == offset:
                sizes[index] += size
                self._join(index)
                return
            if offset + size == start:
                offsets[index] = offset
                sizes[index] += size
                if index:
                    self._join(index - 1)
                return
        index = bisect_left(offsets, offset)
        offsets.insert(index, offset)
        sizes.insert(index, size)

    def _join(self, index: int) -> None:
        """Make one of this range and the next where they touch."""
        offsets, sizes = self.offsets, self.sizes
        after = index + 1
        if after < len(offsets) and offsets[index] + sizes[index] == offsets[after]:
            sizes[index] += sizes[after]
            del offsets[after], sizes[after]


def peak_bytes(plan: Plan, backends: int) -> list[int]:
    """The size of each backend's compute buffer."""
    pools = [_Pool() for _ in range(backends)]
    for leaf, place in plan.leaves:
        _allocate(leaf, place, pools)
    for node, _ in plan.nodes:
        if node.view is not None and node.op != NONE:
            node.view.views += 1
        for source in node.src:
            base = source.src[0] if source.op == VIEW else source
            base.children += 1
    for node, place in plan.nodes:
        for source in node.src:
            if source.op == NONE and not source.owned:
                _allocate(source, place, pools)
        _allocate(node, place, pools)
        for source in node.src:
            base = source.src[0] if source.op == VIEW else source
            base.children -= 1
            if base.children == 0 and base.views == 0:
                _let_go(base, pools)
    return [pool.most for pool in pools]


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _allocate(tensor: Tensor, place: int, pools: list[_Pool]) -> None:
    if tensor.view is not None or tensor.owned or tensor.home is not None:
        return
    tensor.owned = True
    if tensor.op == OVER or tensor.op == ROPE:
        for source in tensor.src:
            if _taken_over(tensor, source):
                return
    tensor.buffer = place
    tensor.offset = pools[place].take(_padded(tensor.size))


def _taken_over(tensor: Tensor, source: Tensor) -> bool:
    """Whether the tensor lies where its source did; views own nothing that could be taken."""
    if not source.owned or source.output or source.children != 1 or source.views:
        return False
    if source.ne != tensor.ne or source.nb != tensor.nb or source.kind != tensor.kind:
        return False
    tensor.buffer, tensor.offset = source.buffer, source.offset
    source.owned = False
    return True


def _let_go(source: Tensor, pools: list[_Pool]) -> None:
    if source.view is not None:
        root = source.view
        root.views -= 1
        if root.views or root.children or not root.owned:
            return
    else:
        root = source
        if not root.owned:
            return
    if not root.output:
        root.owned = False
        pools[root.buffer].give(root.offset, _padded(root.size))

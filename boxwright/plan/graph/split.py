"""Which backend computes what, and what is copied between them, as ggml's scheduler decides.

Source: `ggml_backend_sched_split_graph` (ggml/src/ggml-backend.cpp, b11549) for backends that do
every operation and read their own memory only: GPUs by number, the host last. Operations on
weights in host RAM stay on the host, which is what `llama-fit-params` counts for RPC devices; the
room that CUDA takes for copies of them is a reserve of its own.
"""

from __future__ import annotations

from boxwright.plan.graph.tensors import ATTEND, NONE, ROPE, VIEW, Graph, Tensor

MAX_COPIES = 4  # GGML_SCHED_MAX_COPIES


class Plan:
    """The graph as it is allocated: leaves first, then nodes with the copies they need."""

    def __init__(self) -> None:
        self.leaves: list[tuple[Tensor, int]] = []
        self.nodes: list[tuple[Tensor, int]] = []


class _Split:
    def __init__(self, place: int) -> None:
        self.place = place
        self.nodes: list[Tensor] = []
        self.inputs: list[Tensor] = []


def plan(graph: Graph, host: int, pipelined: bool) -> Plan:
    """Places and copies; `host` is the number of the last backend."""
    _place_by_weights(graph, host)
    _spread(graph.nodes, host, gpus_only=True)
    _spread(graph.nodes, host, gpus_only=False)
    _place_the_rest(graph.nodes)
    copies: dict[tuple[int, int], list[Tensor]] = {}
    splits = _split(graph.nodes, MAX_COPIES if pipelined else 1, copies)
    return _allocated_order(graph, splits, copies, pipelined)


def _place_by_weights(graph: Graph, host: int) -> None:
    for leaf in graph.leaves:
        if leaf.input:
            leaf.place = host
    for node in graph.nodes:
        home = node.view.home if node.view is not None else None
        if home is None and node.op != ROPE and node.op != ATTEND:
            for source in node.src:
                if source.weight:
                    home = source.home
                    break
        node.place = home


def _spread(nodes: list[Tensor], host: int, gpus_only: bool) -> None:
    """Neighbours take the place of the node before them, then of the one after."""
    for order in (nodes, reversed(nodes)):
        current: int | None = None
        for node in order:
            if node.place is not None:
                current = None if gpus_only and node.place == host else node.place
            elif current is not None:
                node.place = current


def _place_the_rest(nodes: list[Tensor]) -> None:
    """Leaves that are no inputs lie where they are first read."""
    for node in nodes:
        for source in node.src:
            if source.place is None and source.op == NONE and source.home is None:
                source.place = node.place


def _where(tensor: Tensor) -> int | None:
    """The backend in whose memory a tensor lies, or will."""
    if tensor.home is not None:
        return tensor.home
    if tensor.view is None:
        return tensor.place
    if tensor.view.home is not None:
        return tensor.view.home
    return tensor.view.place if tensor.op == VIEW else tensor.place


def _split(
    nodes: list[Tensor], count: int, copies: dict[tuple[int, int], list[Tensor]]
) -> list[_Split]:
    splits: list[_Split] = []
    current: _Split | None = None
    for node in nodes:
        place = node.place
        assert place is not None
        if current is None or place != current.place or _needs_new(node, current):
            current = _Split(place)
            splits.append(current)
        current.nodes.append(node)
        for index, source in enumerate(node.src):
            if _where(source) == place:
                continue
            key = (id(source), place)
            if key not in copies:
                copies[key] = [_copy_of(source, count > 1) for _ in range(count)]
                current.inputs.append(source)
            node.src[index] = copies[key][0]
    return splits


def _needs_new(node: Tensor, split: _Split) -> bool:
    if split.inputs:
        for source in node.src:
            if source.weight and source.home != split.place:
                return True
    return False


def _copy_of(tensor: Tensor, kept: bool) -> Tensor:
    made = Tensor(tensor.ne, tensor.kind, NONE, (), tensor.nb)
    made.input = made.output = kept
    return made


def _allocated_order(
    graph: Graph,
    splits: list[_Split],
    copies: dict[tuple[int, int], list[Tensor]],
    pipelined: bool,
) -> Plan:
    made = Plan()
    for split in splits:
        for source in split.inputs:
            root = source.view if source.view is not None else source
            # keeps the source until it is copied; what it shows does not matter to the allocator
            keeper = Tensor(source.ne, source.kind, NONE, (source,), source.nb, root)
            made.nodes.append((keeper, _where(source) or 0))
            made.nodes.append((copies[id(source), split.place][0], split.place))
        made.nodes += [(node, node.place or 0) for node in split.nodes]
    if pipelined:
        made.leaves += _kept_inputs(graph, copies)
        for split in splits:
            for source in split.inputs:
                made.leaves += [(one, split.place) for one in copies[id(source), split.place]]
    made.leaves += [(leaf, leaf.place or 0) for leaf in graph.leaves]
    return made


def _kept_inputs(
    graph: Graph, copies: dict[tuple[int, int], list[Tensor]]
) -> list[tuple[Tensor, int]]:
    """Each input as often as batches are under way, none of them ever overwritten."""
    found: list[tuple[Tensor, int]] = []
    for leaf in graph.leaves:
        if not leaf.input:
            continue
        place = leaf.place or 0
        key = (id(leaf), place)
        if key not in copies:
            leaf.output = True
            copies[key] = [leaf, *(_copy_of(leaf, True) for _ in range(MAX_COPIES - 1))]
        found += [(one, place) for one in copies[key]]
    return found

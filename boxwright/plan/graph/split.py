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


def _home(tensor: Tensor) -> int | None:
    return tensor.home if tensor.view is None else tensor.view.home


def _place_by_weights(graph: Graph, host: int) -> None:
    for leaf in graph.leaves:
        leaf.place = host if leaf.input else leaf.home
    for node in graph.nodes:
        if node.place is not None:
            continue
        home = _home(node)
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
            if node.op == VIEW:
                continue
            if node.place is not None:
                current = None if gpus_only and node.place == host else node.place
            elif current is not None:
                node.place = current


def _place_the_rest(nodes: list[Tensor]) -> None:
    for node in nodes:
        if node.place is None:
            node.place = node.view.place if node.view is not None else 0
        for source in node.src:
            if source.place is None:
                source.place = source.view.place if source.view is not None else node.place


def _is_there(tensor: Tensor, place: int) -> bool:
    """Whether a backend can read it: it lies in that backend's memory, or will."""
    home = _home(tensor)
    if home is not None:
        return home == place
    return place == (
        tensor.place if tensor.place is not None else tensor.view and tensor.view.place
    )


def _split(
    nodes: list[Tensor], count: int, copies: dict[tuple[int, int], list[Tensor]]
) -> list[_Split]:
    working = [node for node in nodes if node.op != VIEW]
    splits: list[_Split] = []
    current: _Split | None = None
    for node in nodes:
        if node.op == VIEW:
            if current is None:
                current = _Split(working[0].place or 0)
                splits.append(current)
            current.nodes.append(node)
            continue
        assert node.place is not None
        if current is None or node.place != current.place or _needs_new(node, current):
            current = _Split(node.place)
            splits.append(current)
        current.nodes.append(node)
        for index, source in enumerate(node.src):
            if source.place == current.place or _is_there(source, current.place):
                continue
            key = (id(source), current.place)
            if key not in copies:
                copies[key] = [_copy_of(source, count > 1) for _ in range(count)]
                current.inputs.append(source)
            node.src[index] = copies[key][0]
    return splits


def _needs_new(node: Tensor, split: _Split) -> bool:
    return bool(split.inputs) and any(
        source.weight and source.home != split.place for source in node.src
    )


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
            made.nodes.append((keeper, source.place or 0))
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

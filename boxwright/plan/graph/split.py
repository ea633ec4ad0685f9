"""Which backend computes what, and what is copied between them, as ggml's scheduler decides.

Source: `ggml_backend_sched_split_graph` (ggml/src/ggml-backend.cpp, b11549) for backends that do
every operation and read their own memory only: GPUs by number, the host last. Operations on
weights in host RAM stay on the host, which is what `llama-fit-params` counts for RPC devices; the
room that CUDA takes for copies of them is a reserve of its own.
"""

from __future__ import annotations

from typing import NamedTuple

from boxwright.plan.graph.sections import NOTHING, Section, Source


class Around(NamedTuple):
    """What the places in a section depend on: those of its homes and of externals, of the host, and
    those of the weights that are read just `before` and `after` it."""

    homes: tuple[int, ...]
    externals: tuple[int, ...]
    host: int
    before: int
    after: int


class Step(NamedTuple):
    """A node at which another split may begin: in another place, with foreign sources (`crossings`
    by number), or with a weight that lies elsewhere."""

    node: int
    place: int
    reads_weight: bool
    crossings: tuple[int, ...]


class Read(NamedTuple):
    """What a node really reads: a tensor of the section, or above all of those a copy."""

    tensor: int
    plain: bool
    source: Source


class Places(NamedTuple):
    """A section with its places: of every node, the steps, what is read (weights and caches left
    out), which sources are copied to which place, and which tensors are read where they lie."""

    nodes: tuple[int, ...]
    steps: tuple[Step, ...]
    reads: tuple[tuple[Read, ...], ...]
    crossings: tuple[tuple[Source, int], ...]
    direct: tuple[int, ...]


def placed(section: Section, around: Around) -> Places:
    """The places of one section."""
    nodes = _by_weights(section, around)
    own, copies = len(section.nodes), len(section.nodes) + len(section.externals)
    crossings: dict[tuple[int, int], int] = {}
    crossed: list[tuple[Source, int]] = []
    steps: list[Step] = []
    reads: list[tuple[Read, ...]] = []
    current = NOTHING
    for number, node in enumerate(section.nodes):
        place, foreign, found, reads_weight = nodes[number], [], [], False
        for source in node.sources:
            if source.home >= 0:
                lies = around.homes[source.home]
            elif source.lies < own:
                lies = nodes[source.lies]
            else:
                lies = around.externals[source.lies - own]
            if lies == place:
                if source.tensor >= 0:
                    found.append(Read(source.tensor, source.plain, source))
                continue
            key = (source.number, place)
            if key not in crossings:
                crossings[key] = len(crossed)
                crossed.append((source, place))
            reads_weight = reads_weight or source.weight
            foreign.append(crossings[key])
            found.append(Read(copies + crossings[key], True, source))
        if foreign or place != current:
            steps.append(Step(number, place, reads_weight, tuple(foreign)))
            current = place
        reads.append(tuple(found))
    direct = {read.tensor for some in reads for read in some if own <= read.tensor < copies}
    return Places(nodes, tuple(steps), tuple(reads), tuple(crossed), tuple(sorted(direct)))


def _by_weights(section: Section, around: Around) -> tuple[int, ...]:
    """Each node where its weight lies; others beside the node before them if that is on a GPU, else
    the one after them, as the scheduler spreads GPUs first, downwards and then up."""
    drawn = [around.homes[node.home] if node.home >= 0 else NOTHING for node in section.nodes]
    after, following = around.after, [NOTHING] * len(drawn)
    for number in range(len(drawn) - 1, -1, -1):
        if drawn[number] >= 0:
            after = drawn[number]
        following[number] = after
    before, host = around.before, around.host
    for number, place in enumerate(drawn):
        if place >= 0:
            before = place
        elif before >= 0 and (before != host or following[number] in (host, NOTHING)):
            drawn[number] = before
        else:
            drawn[number] = following[number]
    return tuple(drawn)

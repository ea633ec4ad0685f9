"""Bytes of compute buffers for a model, a layout and a batch: graph, places, allocation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from boxwright.plan.context import CACHE_TYPES, ContextSize
from boxwright.plan.graph.block import Batch
from boxwright.plan.graph.buffers import Buffers, Where
from boxwright.plan.graph.cut import NotCut, sections
from boxwright.plan.graph.known import ABORTED, EVEN_ONLY, GROWING, KNOWN
from boxwright.plan.graph.model import build
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.prepare import Prepared, prepared
from boxwright.plan.graph.repeat import kept_layers
from boxwright.plan.graph.sections import (
    FIRST_HOME,
    HOST_HOME,
    OUTPUT_HOME,
    PARTS,
)
from boxwright.plan.graph.tensors import Graph, Kind
from boxwright.plan.graph.traits import HEADLESS
from boxwright.plan.layout import HOST, Layout
from boxwright.shapes import ModelShape


def compute_bytes(shape: ModelShape, layout: Layout, size: ContextSize) -> dict[int, int]:
    """The compute buffer of every device and of HOST.

    A shape that tells no tensors, or not those that its architecture's graph needs, is taken for a
    usual transformer of its size.
    """
    try:
        if shape.blocks:
            model = prepared(shape, usual=False)
            return _computed(model, layout, batch_of(model, size))
    except LookupError:
        pass
    model = prepared(shape, usual=True)
    return _computed(model, layout, batch_of(model, size))


def growth_bytes(shape: ModelShape, layout: Layout, size: ContextSize) -> dict[int, int]:
    """How much larger each of `compute_bytes` becomes until the context is full."""
    devices = range(HOST, layout.devices)
    if shape.architecture not in GROWING or not shape.blocks:
        return dict.fromkeys(devices, 0)
    first = compute_bytes(shape, layout, size)
    try:
        model = prepared(shape, usual=False)
        full = _computed(model, layout, batch_of(model, size, size.per_sequence))
    except LookupError:
        full = first
    return {device: max(full[device] - first[device], 0) for device in devices}


def doubt(shape: ModelShape, size: ContextSize | None = None) -> str | None:
    """Why compute buffers may be off, or cannot be made, as a sentence; else None."""
    if not shape.blocks:
        return (
            "The dimensions of this model's tensors are not known: compute buffers are those of"
            " a usual transformer of its size."
        )
    if shape.architecture in ABORTED:
        return (
            f"llama.cpp (b11669) ends with an error while it loads {shape.architecture!r} with"
            " flash attention, which is always on here: the server will not start."
        )
    if size and shape.architecture in EVEN_ONLY and size.batch % size.sequences:
        even = max(size.batch // size.sequences, 1) * size.sequences
        return (
            f"llama.cpp (b11669) ends with an error where {size.batch} tokens of a batch do not"
            f" divide among {size.sequences} sequences of {shape.architecture!r}: set server_ubatch"
            f" = {even}, or another server_parallel."
        )
    if shape.architecture in HEADLESS:
        return (
            f"A model of the architecture {shape.architecture!r} makes embeddings of texts, and no"
            " answers. llama-server wants --embeddings for that, whose results are not counted."
        )
    if shape.architecture not in KNOWN:
        return (
            f"The architecture {shape.architecture!r} is not known: its context is estimated"
            " from its header, compute buffers are those of a usual transformer with its tensors."
        )
    if shape.architecture in GROWING:
        return (
            "llama.cpp measures this model's compute buffers with an empty cache. They grow while"
            " the context fills (a mask of all positions for each token of a batch): the room for"
            " that is counted apart, and smaller with a smaller ubatch."
        )
    return None


def _computed(model: Prepared, layout: Layout, batch: Batch) -> dict[int, int]:
    host, count = layout.devices, model.spread_layers
    places = [host if place == HOST else place for place in layout.places(count)]
    experts = [host if place == HOST else place for place in layout.experts_places(count)]
    where = Where(
        tuple(
            (places[held], experts[number], places[read])
            for number, (held, read) in enumerate(zip(model.held, model.read, strict=True))
        ),
        places[count],
        host,
        pipelined=layout.devices > 1 and layout.gpu_layers > count and not layout.overrides,
    )
    on_host = {device == host for device, _, _ in where.layers}
    crosses = model.style.pools is not None and len(on_host) > 1
    sizes = buffers(model, batch, crosses)(where)
    return {**dict(enumerate(sizes[:-1])), HOST: sizes[-1]}


@lru_cache(maxsize=8)
def buffers(model: Prepared, batch: Batch, crosses: bool = False) -> Buffers:
    """Those of a model and a batch; `crosses` if some layers lie in host RAM and others on GPUs."""
    by_number = model.style.by_number
    kept = kept_layers([(id(one), by_number(n)) for n, one in enumerate(model.blocks)])
    graph = graph_of(model, batch, kept.layers, crosses)
    try:
        return Buffers(sections(graph, [1, *kept.periods]), [0, *(1 + n for n in kept.stands)])
    except NotCut:
        graph = graph_of(model, batch, range(len(model.blocks)), crosses)
        graph.cuts = graph.cuts[:1]
        return Buffers(sections(graph, [0]), [0])


def graph_of(model: Prepared, batch: Batch, layers: Sequence[int], crosses: bool = False) -> Graph:
    """The graph of some layers, with homes in place of devices."""
    net = Net(batch, model.outside, HOST_HOME, OUTPUT_HOME, model.window is not None)
    net.crosses = crosses
    blocks = []
    for number, layer in enumerate(layers):
        first = FIRST_HOME + PARTS * number
        blocks.append(model.blocks[layer].placed(layer, first, first + 1, first + 2))
    return build(net, blocks, model.style)


def batch_of(model: Prepared, size: ContextSize, positions: int = 0) -> Batch:
    """What is computed at once, after so many positions.

    Where tokens see those after them too, a batch is limited by what is kept for all sequences.
    """
    together = size.batch if model.style.cached else min(size.ubatch, size.total)
    block_bytes, elements = CACHE_TYPES[size.cache_type]
    return Batch(
        tokens=-(-together // size.sequences) * size.sequences,
        outputs=together,
        sequences=size.sequences,
        streams=size.sequences,
        cells=size.per_sequence,
        window_cells=size.window_cells(model.window or 0),
        cache=Kind(size.cache_type, elements, block_bytes),
        positions=positions,
    )

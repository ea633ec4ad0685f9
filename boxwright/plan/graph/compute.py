"""Bytes of compute buffers for a model, a layout and a batch: graph, places, allocation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from boxwright.plan.context import CACHE_TYPES, ContextSize
from boxwright.plan.graph.allocate import peak_bytes
from boxwright.plan.graph.block import Batch, Block, Dims
from boxwright.plan.graph.known import GROWING, KNOWN
from boxwright.plan.graph.model import build
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.prepare import Prepared, in_order, placed, prepared
from boxwright.plan.graph.split import plan
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import Kind
from boxwright.plan.layout import HOST, Layout
from boxwright.shapes import ModelShape

LONGEST_PERIOD = 8  # of layers that alternate: Gemma's six are the longest that are usual
KEPT = 2


@dataclass(frozen=True)
class _Order:
    """Everything that a graph and its allocation rest on."""

    blocks: tuple[Block, ...]
    outside: Dims
    batch: Batch
    style: Style
    host: int
    output_device: int
    slides: bool
    pipelined: bool


def compute_bytes(
    shape: ModelShape, layout: Layout, size: ContextSize, exact: bool = True
) -> dict[int, int]:
    """The compute buffer of every device and of HOST.

    Not `exact` is quicker, and some MiB off: of layers that repeat only two are built, since the
    next ones find the memory of those before them given back, and layouts that leave some layers'
    experts in host RAM are taken for one another. A shape that tells no tensors, or not those that
    its architecture's graph needs, is taken for a usual transformer of its size.
    """
    try:
        if shape.blocks:
            return _computed(prepared(shape, usual=False), layout, size, exact)
    except LookupError:
        pass
    return _computed(prepared(shape, usual=True), layout, size, exact)


def doubt(shape: ModelShape) -> str | None:
    """Why compute buffers may be off, as a sentence; None where they are as llama.cpp's."""
    if not shape.blocks:
        return (
            "The dimensions of this model's tensors are not known: compute buffers are those of"
            " a usual transformer of its size."
        )
    if shape.architecture not in KNOWN:
        return (
            f"The architecture {shape.architecture!r} is not known: its context is estimated"
            " from its header, compute buffers are those of a usual transformer with its tensors."
        )
    if shape.architecture in GROWING:
        return (
            "llama.cpp measures this model's compute buffers with an empty cache. They grow while"
            " the context fills (a mask of all positions for each token of a batch): leave room, or"
            " take a smaller ubatch."
        )
    return None


def _computed(model: Prepared, layout: Layout, size: ContextSize, exact: bool) -> dict[int, int]:
    host, count = layout.devices, model.spread_layers
    blocks = placed(model, layout)
    output = layout.device_of(count, count)
    order = _Order(
        blocks=tuple(blocks) if exact else _without_repeats(in_order(blocks, host)),
        outside=model.outside,
        batch=_batch(model, size),
        style=model.style,
        host=host,
        output_device=host if output == HOST else output,
        slides=model.window is not None,
        pipelined=layout.devices > 1 and layout.gpu_layers > count and not layout.overrides,
    )
    sizes = _peaks(order)
    return {**dict(enumerate(sizes[:-1])), HOST: sizes[-1]}


@lru_cache(maxsize=1024)
def _peaks(order: _Order) -> tuple[int, ...]:
    net = Net(order.batch, order.outside, order.host, order.output_device, order.slides)
    graph = build(net, order.blocks, order.style)
    return tuple(peak_bytes(plan(graph, order.host, order.pipelined), order.host + 1))


def _without_repeats(blocks: list[Block]) -> tuple[Block, ...]:
    """Runs of layers that repeat, with any period, cut down to two repetitions."""
    numbers = {id(block): number for number, block in enumerate(blocks)}
    order = [numbers[id(block)] for block in blocks]
    kept: list[int] = []
    index = 0
    while index < len(order):
        for period in range(1, LONGEST_PERIOD + 1):
            last = kept[-period:]
            if order[index : index + period] == last and kept[-KEPT * period :] == last * KEPT:
                index += period
                break
        else:
            kept.append(order[index])
            index += 1
    return tuple(blocks[number] for number in kept)


def _batch(model: Prepared, size: ContextSize) -> Batch:
    block_bytes, elements = CACHE_TYPES[size.cache_type]
    return Batch(
        tokens=-(-size.batch // size.sequences) * size.sequences,
        outputs=size.batch,
        sequences=size.sequences,
        streams=size.sequences,
        cells=size.per_sequence,
        window_cells=size.window_cells(model.window or 0),
        cache=Kind(size.cache_type, elements, block_bytes),
    )

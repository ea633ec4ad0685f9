"""Bytes of compute buffers for a model, a layout and a batch: graph, places, allocation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from boxwright.plan.context import CACHE_TYPES, ContextSize
from boxwright.plan.graph.allocate import peak_bytes
from boxwright.plan.graph.guess import described
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.graph.model import build
from boxwright.plan.graph.net import Batch, Block, Dims, Net
from boxwright.plan.graph.split import plan
from boxwright.plan.graph.style import Style, style_of
from boxwright.plan.graph.tensors import Kind
from boxwright.plan.layout import HOST, Layout
from boxwright.shapes import ModelShape

LONGEST_PERIOD = 8  # of layers that alternate: Gemma's six are the longest that are usual
KEPT = 4


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
    shape: ModelShape, layout: Layout, size: ContextSize, every_layer: bool = False
) -> dict[int, int]:
    """The compute buffer of every device and of HOST.

    Of layers that repeat only some are built (all with `every_layer`): the next ones find the
    memory of those before them given back, and take no more.
    """
    shape = described(shape)
    metadata, host, count = Metadata(shape), layout.devices, shape.spread_layers
    style = style_of(shape.architecture, metadata)
    kinds = [Dims(tuple(block.items())) for block in shape.blocks]
    blocks = [_block(shape, metadata, style, layout, kinds, n) for n in range(len(shape.layers))]
    output = layout.device_of(count, count)
    order = _Order(
        blocks=tuple(blocks) if every_layer else _without_repeats(blocks),
        outside=Dims(tuple(shape.tensors.items())),
        batch=_batch(shape, size),
        style=style,
        host=host,
        output_device=host if output == HOST else output,
        slides=any(layer.sliding_window for layer in shape.layers),
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
    """Runs of layers that repeat, with any period, cut down to four to seven repetitions each.

    Tensors may change places from one repetition to the next, and come back after two or four: so
    repetitions are left out by fours.
    """
    kept: list[Block] = []
    index = 0
    while index < len(blocks):
        for period in range(1, LONGEST_PERIOD + 1):
            last = kept[-period:]
            ahead = blocks[index : index + KEPT * period]
            if kept[-KEPT * period :] == last * KEPT and ahead == last * KEPT:
                index += KEPT * period
                break
        else:
            kept.append(blocks[index])
            index += 1
    return tuple(kept)


def _batch(shape: ModelShape, size: ContextSize) -> Batch:
    windows = [layer.sliding_window for layer in shape.layers if layer.sliding_window]
    tokens = min(size.ubatch, size.total)
    block_bytes, elements = CACHE_TYPES[size.cache_type]
    return Batch(
        tokens=-(-tokens // size.sequences) * size.sequences,
        outputs=tokens,
        sequences=size.sequences,
        streams=size.sequences,
        cells=size.per_sequence,
        window_cells=size.window_cells(max(windows, default=0)),
        cache=Kind(size.cache_type, elements, block_bytes),
    )


def _block(
    shape: ModelShape,
    metadata: Metadata,
    style: Style,
    layout: Layout,
    kinds: list[Dims],
    number: int,
) -> Block:
    layer, count, host = shape.layers[number], shape.spread_layers, layout.devices
    window = layer.sliding_window
    heads = metadata.at("attention.head_count", number)
    device, experts = layout.device_of(number, count), layout.experts_device(number, count)
    device = host if device == HOST else device
    return Block(
        dims=kinds[layer.block],
        device=device,
        experts=host if experts == HOST else experts,
        heads=heads,
        heads_kv=metadata.at("attention.head_count_kv", number, heads),
        head_k=metadata.head("key_length", window, shape.hidden_size, heads),
        head_v=metadata.head("value_length", window, shape.hidden_size, heads),
        window=window,
        used=metadata.at("expert_used_count", number),
        ropes=style.ropes(number, window),
        cache_device=device,
    )

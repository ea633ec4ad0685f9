"""A model's layers as its graph is built of them: once without places, then for each layout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from boxwright.plan.graph.block import Block, Dims
from boxwright.plan.graph.guess import guessed
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.graph.style import Style, style_of
from boxwright.shapes import ModelShape


@dataclass(frozen=True, eq=False)
class Prepared:
    """What does not depend on the layout. `blocks` are placed on backend 0; `read` names for each
    layer the one whose cache it reads, `held` the one whose weights it shares."""

    style: Style
    outside: Dims
    blocks: tuple[Block, ...]
    read: tuple[int, ...]
    held: tuple[int, ...]
    window: int | None
    spread_layers: int


@lru_cache(maxsize=64)
def prepared(shape: ModelShape, usual: bool) -> Prepared:
    """The layers of a shape, or those of a `usual` transformer of its size."""
    return _prepare(guessed(shape) if usual else shape)


def _prepare(shape: ModelShape) -> Prepared:
    metadata = Metadata(shape)
    style = style_of(shape.architecture, metadata)
    kinds = [Dims(tuple(block.items())) for block in shape.blocks]
    alike: dict[Block, Block] = {}
    order = list(range(len(shape.layers)))
    if style.switched:
        order = [order[-1], *order[:-1]]
    blocks = [_block(shape, metadata, style, kinds, number) for number in order]
    windows = [one.sliding_window for one in shape.layers if one.sliding_window]
    return Prepared(
        style=style,
        outside=Dims(tuple(shape.tensors.items())),
        blocks=tuple(alike.setdefault(block, block) for block in blocks),
        read=tuple(_read(shape, number) for number in order),
        held=tuple(shape.held[number] for number in order),
        window=max(windows, default=None),
        spread_layers=shape.spread_layers,
    )


def _block(
    shape: ModelShape, metadata: Metadata, style: Style, kinds: list[Dims], number: int
) -> Block:
    layer = shape.layers[number]
    window = layer.sliding_window
    heads = metadata.at("attention.head_count", number)
    return Block(
        dims=kinds[shape.layers[shape.held[number]].block],
        device=0,
        experts=0,
        heads=heads,
        heads_kv=metadata.at("attention.head_count_kv", number, heads),
        head_k=metadata.head("key_length", window, shape.hidden_size, heads),
        head_v=metadata.head("value_length", window, shape.hidden_size, heads),
        window=window,
        used=metadata.at("expert_used_count", number),
        ropes=style.ropes(number, window),
        cache_device=0,
        keeps=layer.kv_elements_k > 0 or not style.cached,
        clamps=(
            style.clamps and metadata.number("swiglu_clamp_exp", layer=number) > 0,
            style.clamps and metadata.number("swiglu_clamp_shexp", layer=number) > 0,
        ),
    )


def _read(shape: ModelShape, number: int) -> int:
    """The layer whose cache a layer reads: its own, or the last one's of its kind (Gemma 4)."""
    layers = shape.layers
    sources = [n for n, one in enumerate(layers[:number]) if one.kv_elements_k]
    if layers[number].kv_elements_k or not sources:
        return number
    full = layers[number].sliding_window is None
    alike = [n for n in sources if (layers[n].sliding_window is None) == full]
    return (alike or sources)[-1]

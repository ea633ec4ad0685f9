"""What decode loses as the context fills: attention reads the cache of every token before.

A token reads the whole KV cache of each layer that attends, windows only theirs, recurrent layers
their state that never grows. It lies where its layer does. Heads that share K and V share a reading
of them only in twos, fours and eights. Processors are bound by the arithmetic before the memory.
Shares and their sources are in catalog/speed.yaml.
"""

from __future__ import annotations

from boxwright.catalog import SpeedConstants
from boxwright.machine import Machine
from boxwright.plan.context import ContextSize, state_bytes
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.layout import HOST, Layout
from boxwright.plan.speed_decode import GIGA, GpuSpeed, HostSpeed
from boxwright.shapes import LayerShape, ModelShape

DEPTHS = (4096, 32768, 131072)  # tokens, at which decode is told
WHOLE_TYPES = frozenset({"f32", "f16", "bf16"})
EMPTY = 256  # tokens: what figures "at an empty context" hold
HEADS_TOGETHER = (8, 4, 2)  # Q's heads in one block of flash attention (ncols2, fattn.cu)


def depths(context: int) -> tuple[int, ...]:
    """Those of DEPTHS, none beyond the context of one sequence."""
    return tuple(sorted({min(depth, context) for depth in DEPTHS if context}))


def attention_seconds(
    constants: SpeedConstants,
    machine: Machine,
    host: HostSpeed,
    gpus: tuple[GpuSpeed, ...],
    shape: ModelShape,
    layout: Layout,
    cache_type: str,
    depth: int,
) -> float:
    """Seconds per token that a context of `depth` tokens costs more than an empty one."""
    whole = cache_type in WHOLE_TYPES
    share = constants.cache_share if whole else constants.quantised_cache_share
    full, empty = (
        state_bytes(shape, ContextSize(max(tokens, EMPTY), cache_type, ubatch=1, sequences=1))
        for tokens in (depth, EMPTY)
    )
    found, width, places = 0.0, attention_width(shape), layout.places(shape.spread_layers)
    flops = max(machine.cpu.cores, 1) * constants.core_attention_gflops * GIGA
    for number, layer in enumerate(shape.layers):
        device, more = places[number], full[number] - empty[number]
        if device == HOST:
            seen = _seen(layer, depth) - _seen(layer, EMPTY)
            found += max(more / host.gb_s / GIGA, 4.0 * width * seen / flops)
        else:
            again = gpus[device].row.reread if whole and more else 0.0
            again = again and again * (readings(shape, number) - 1)
            found += more / (gpus[device].gb_s * GIGA) * (1 / share + again)
    return found


def readings(shape: ModelShape, layer: int) -> int:
    """How many times a card reads a layer's K and V for one token: 7 where 28 heads share 4."""
    metadata = Metadata(shape)
    heads = metadata.at("attention.head_count", layer)
    sharing = heads // (metadata.at("attention.head_count_kv", layer, heads) or 1)
    together = next((size for size in HEADS_TOGETHER if sharing % size == 0), 1)
    return max(sharing // together, 1)


def attention_width(shape: ModelShape) -> int:
    """Elements of all heads of Q together."""
    prefix = f"{shape.architecture}.attention."
    heads = shape.metadata.get(f"{prefix}head_count")
    length = shape.metadata.get(f"{prefix}key_length")
    if isinstance(heads, int) and isinstance(length, int):
        return heads * length
    return shape.hidden_size


def _seen(layer: LayerShape, depth: int) -> int:
    """Tokens that one token attends to."""
    if not layer.kv_elements_k:
        return 0
    return max(min(layer.sliding_window or depth, depth), 0)

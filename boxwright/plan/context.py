"""What a context costs: KV cache and recurrent state, in bytes per layer.

Source: reference/llama-cpp.md, 4.4 (src/llama-kv-cache*.cpp, llama-memory-recurrent.cpp, b11549).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from boxwright.plan.wanted import Wanted
from boxwright.shapes import LayerShape, ModelShape

PAD_TOKENS = 256
# whose caches hold the layers that only draft, too (`create_memory`, src/llama-model.cpp)
DRAFTS_CACHED = frozenset({"bailingmoe3", "hy_v4"})
WHOLE_RATIO = 128  # layers that compress so many tokens see all rows, and have no indexer
# bytes per element as (numerator, denominator), of ggml's block sizes
CACHE_TYPES = {
    "f32": (4, 1),
    "f16": (2, 1),
    "bf16": (2, 1),
    "q8_0": (34, 32),
    "q5_1": (24, 32),
    "q5_0": (22, 32),
    "q4_1": (20, 32),
    "q4_0": (18, 32),
    "iq4_nl": (18, 32),
}


@dataclass(frozen=True)
class ContextSize:
    """How much context is kept: tokens for all sequences together, type, batch, sequences."""

    tokens: int
    cache_type: str
    ubatch: int
    sequences: int

    @property
    def per_sequence(self) -> int:
        """Tokens of one sequence's share, padded as llama.cpp pads it (llama-context.cpp)."""
        return padded(padded(self.tokens) // self.sequences)

    @property
    def total(self) -> int:
        """Tokens of all sequences together, as llama.cpp rounds them."""
        return self.per_sequence * self.sequences

    def window_cells(self, window: int) -> int:
        """Rows per sequence where only a window of so many tokens is seen."""
        return padded(min(self.per_sequence, window + self.batch))

    @property
    def batch(self) -> int:
        """Tokens that are computed at once: no more than were asked for as context, unrounded."""
        return min(self.ubatch, self.tokens)


def size_of(wanted: Wanted) -> ContextSize:
    """How much context the wishes ask for; the cache type has to be one of CACHE_TYPES."""
    return ContextSize(
        tokens=wanted.server_context,
        cache_type=wanted.server_cache_type,
        ubatch=wanted.server_ubatch,
        sequences=wanted.server_parallel,
    )


def padded(tokens: int) -> int:
    """The next multiple of 256 tokens."""
    return -(-tokens // PAD_TOKENS) * PAD_TOKENS


@lru_cache(maxsize=256)
def state_bytes(shape: ModelShape, size: ContextSize) -> tuple[int, ...]:
    """What each layer keeps of the context, wherever it lies."""
    layers = tuple(
        layer_bytes(layer, size) + compressed_bytes(shape, number, size)
        for number, layer in enumerate(shape.layers)
    )
    return layers + _drafting_bytes(shape, size)


def _drafting_bytes(shape: ModelShape, size: ContextSize) -> tuple[int, ...]:
    """What layers that only draft keep: they attend as the full ones of the model do."""
    if shape.architecture not in DRAFTS_CACHED:
        return ()
    full = max(shape.layers, key=lambda layer: layer.kv_elements_k)
    return (layer_bytes(full, size),) * (shape.spread_layers - len(shape.layers))


def layer_bytes(layer: LayerShape, size: ContextSize) -> int:
    """State of one layer: its part of the KV cache for every sequence, and its recurrent state."""
    cells = size.per_sequence
    if layer.sliding_window is not None:
        cells = size.window_cells(layer.sliding_window)
    numerator, denominator = CACHE_TYPES[size.cache_type]
    elements = (layer.kv_elements_k + layer.kv_elements_v) * cells
    return size.sequences * (elements * numerator // denominator + layer.recurrent_bytes)


def compressed_bytes(shape: ModelShape, number: int, size: ContextSize) -> int:
    """What DeepSeek-V4 keeps beside its raw window: rows of compressed K, and the indexer's keys.

    CSA layers keep a row of K and an indexer's key for 4 tokens, HCA layers a row for 128; layers
    without a ratio nothing. Rows are padded to 256 (src/llama-kv-cache-dsv4.cpp).
    """
    ratio = _ratio(shape, number) if shape.architecture == "deepseek4" else 0
    if ratio == 0:
        return 0
    numerator, denominator = CACHE_TYPES[size.cache_type]
    width = shape.layers[number].kv_elements_k
    if ratio < WHOLE_RATIO:
        key = shape.metadata.get(f"{shape.architecture}.attention.indexer.key_length", 128)
        width += int(key)
    rows = padded(max(-(-size.per_sequence // ratio), 1))
    return size.sequences * (width * rows * numerator // denominator)


def _ratio(shape: ModelShape, number: int) -> int:
    """The compression ratio of a layer: 0, 4 or 128; from the metadata where they give it."""
    for key, value in shape.metadata.items():
        if "compress_ratios" in key and isinstance(value, str):
            ratios = value.split(",")
            return int(ratios[number]) if number < len(ratios) else 0
    return 0 if number < 2 else (4, 128)[number % 2]

"""Llama's and Mistral's models."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import Tensor


def llama(
    name: str, layers: int, hidden: int, heads: int, width: int, vocabulary: int = 128256
) -> Model:
    """Llama 3 and its like."""
    s = Sizes(layers, hidden, heads, 8, hidden // heads, vocabulary)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(width)

    return model(name, "llama", s, layer, feed_forward_length=width)


def mixtral() -> Model:
    """Mixtral 8x7B."""
    s = Sizes(32, 4096, 32, 8, 128, 32000, 32768)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.experts(8, 14336)

    return model(
        "mixtral-8x7b", "llama", s, layer, expert_count=8, expert_used_count=2,
        feed_forward_length=14336,
    )  # fmt: skip


def llama4() -> Model:
    """Llama 4 Scout: a shared expert, every fourth layer without rope and with the whole view."""
    s = Sizes(48, 5120, 40, 8, 128, 202048, 10485760)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.experts(16, 8192)
        yield from s.feed_forward(8192, "_shexp")

    return model(
        "llama-4-scout", "llama4", s, layer, expert_count=16, expert_used_count=1,
        expert_feed_forward_length=8192, interleave_moe_layer_step=1, feed_forward_length=16384,
    )  # fmt: skip


def maverick() -> Model:
    """Llama 4 Maverick: experts in every second layer."""
    s = Sizes(48, 5120, 40, 8, 128, 202048, 1048576)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        if number % 2:
            yield from s.experts(128, 8192)
            yield from s.feed_forward(8192, "_shexp")
        else:
            yield from s.feed_forward(16384)

    return model(
        "llama-4-maverick", "llama4", s, layer, expert_count=128, expert_used_count=1,
        expert_feed_forward_length=8192, interleave_moe_layer_step=2, feed_forward_length=16384,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "llama-3.3-70b": lambda: llama("llama-3.3-70b", 80, 8192, 64, 28672),
    "mixtral-8x7b": mixtral,
    "llama-4-scout": llama4,
    "llama-4-maverick": maverick,
}

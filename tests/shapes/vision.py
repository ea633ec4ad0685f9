"""Models that see pictures, which later layers are told of too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import Tensor


def qwen3_vl() -> Model:
    """Qwen3-VL 8B: each of the first three layers gets a part of a picture's embedding."""
    s = Sizes(36, 4096, 32, 8, 128, 151936, 262144)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.feed_forward(12288)

    return model(
        "qwen3-vl-8b", "qwen3vl", s, layer, feed_forward_length=12288,
        rope__dimension_sections=[24, 20, 20, 0], n_deepstack_layers=3,
    )  # fmt: skip


def qwen3_vl_moe() -> Model:
    """Qwen3-VL 235B-A22B."""
    s = Sizes(94, 4096, 64, 4, 128, 151936, 262144)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.experts(128, 1536)

    return model(
        "qwen3-vl-235b", "qwen3vlmoe", s, layer, expert_count=128, expert_used_count=8,
        expert_feed_forward_length=1536, feed_forward_length=12288,
        rope__dimension_sections=[24, 20, 20, 0], n_deepstack_layers=3,
    )  # fmt: skip


def granite_vision() -> Model:
    """Granite Vision 4.1 4B: the parts of a picture's embedding go before some of the layers."""
    s = Sizes(40, 2560, 40, 8, 64, 100352)
    mapping = [0, -1, -1, 1, -1, -1, 2, -1, -1, 3, *([-1] * 30)]

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(8192)

    return model(
        "granite-vision-4.1", "granite", s, layer, output=False, feed_forward_length=8192,
        embedding_scale=12.0, residual_scale=0.22, logit_scale=10.0, attention__scale=0.015625,
        deepstack_mapping=mapping,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "qwen3-vl-8b": qwen3_vl,
    "qwen3-vl-235b": qwen3_vl_moe,
    "granite-vision-4.1": granite_vision,
}

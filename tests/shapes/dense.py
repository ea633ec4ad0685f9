"""Other models without experts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def phi4() -> Model:
    """Phi-4 14B: one projection for q, k and v, and one for both halves of the feed-forward."""
    s = Sizes(40, 5120, 40, 10, 128, 100352, 16384)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_qkv.weight", (5120, 5120 + 2 * 1280), Q8_0
        yield "attn_output.weight", (5120, 5120), Q8_0
        yield "ffn_up.weight", (5120, 2 * 17920), Q8_0
        yield "ffn_down.weight", (17920, 5120), Q8_0

    return model(
        "phi-4", "phi3", s, layer, feed_forward_length=17920, attention__sliding_window=0,
        rope__scaling__original_context_length=16384,
    )  # fmt: skip


def command_r() -> Model:
    """Command R 35B: attention and feed-forward beside each other."""
    s = Sizes(40, 8192, 64, 64, 128, 256000)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from s.attention()
        yield from s.feed_forward(22528)

    return model(
        "command-r", "command-r", s, layer, output=False, logit_scale=0.0625,
        feed_forward_length=22528,
    )  # fmt: skip


def cohere2() -> Model:
    """Command R7B."""
    s = Sizes(32, 4096, 32, 8, 128, 256000)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from s.attention()
        yield from s.feed_forward(14336)

    return model(
        "command-r7b", "cohere2", s, layer, output=False, logit_scale=0.25,
        attention__sliding_window=4096, feed_forward_length=14336,
    )  # fmt: skip


def granite() -> Model:
    """Granite 3.3 8B."""
    s = Sizes(40, 4096, 32, 8, 128, 49159)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(12800)

    return model(
        "granite-3.3-8b", "granite", s, layer, output=False, feed_forward_length=12800,
        embedding_scale=12.0, residual_scale=0.22, logit_scale=16.0, attention__scale=0.0078125,
    )  # fmt: skip


def exaone4() -> Model:
    """EXAONE 4.0 32B: norms after each part."""
    s = Sizes(64, 5120, 40, 8, 128, 102400)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("post_attention_norm", "post_ffw_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.feed_forward(27392)

    return model(
        "exaone-4.0-32b", "exaone4", s, layer, attention__sliding_window=4096,
        feed_forward_length=27392, attention__sliding_window_pattern=4,
    )  # fmt: skip


def olmo2() -> Model:
    """OLMo 2 32B."""
    s = Sizes(64, 5120, 40, 8, 128, 100352)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("post_attention_norm", "post_ffw_norm")
        yield from s.attention()
        yield "attn_q_norm.weight", (5120,), F32
        yield "attn_k_norm.weight", (1024,), F32
        yield from s.feed_forward(27648)

    return model("olmo-2-32b", "olmo2", s, layer, feed_forward_length=27648)


def smollm3() -> Model:
    """SmolLM3 3B."""
    s = Sizes(36, 2048, 16, 4, 128, 128256)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(11008)

    return model("smollm3-3b", "smollm3", s, layer, output=False, feed_forward_length=11008)


MODELS: dict[str, Callable[[], Model]] = {
    "phi-4": phi4,
    "command-r": command_r,
    "command-r7b": cohere2,
    "granite-3.3-8b": granite,
    "exaone-4.0-32b": exaone4,
    "olmo-2-32b": olmo2,
    "smollm3-3b": smollm3,
}

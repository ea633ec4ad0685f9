"""Architectures of 2026 whose parts are known ones in another order.

Where a docstring names no model, the sizes are of its kind: none was public with its architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def cohere2_moe() -> Model:
    """Cohere 2 with experts, 49 layers."""
    s = Sizes(49, 2048, 32, 4, 128, 256000)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from s.attention()
        if number == 0:
            yield from s.feed_forward(6144)
        else:
            yield from s.experts(128, 1024, Q8_0)
            yield from s.feed_forward(2048, "_shexp")

    return model(
        "cohere2-moe", "cohere2moe", s, layer, output=False, logit_scale=0.25, expert_count=128,
        attention__sliding_window=4096, feed_forward_length=6144, expert_used_count=8,
        expert_feed_forward_length=1024, leading_dense_block_count=1, expert_shared_count=2,
        expert_weights_norm=True, expert_gating_func=2, attention__layer_norm_rms_epsilon=0.0,
    )  # fmt: skip


def spark() -> Model:
    """Spark 2.5 1.7B: a gate per head, as Step 3.5 has."""
    s = Sizes(28, 2048, 16, 4, 128, 152064)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield "attn_gate.weight", (2048, 16), Q8_0
        yield from s.feed_forward(6144)

    return model(
        "spark-2.5", "spark2_5", s, layer, attention__sliding_window=512,
        attention__sliding_window_pattern=[n % 4 != 3 for n in range(28)],
        feed_forward_length=6144,
    )  # fmt: skip


def maple() -> Model:
    """Maple, 24 layers: rotary in windows only."""
    s = Sizes(24, 2560, 32, 4, 128, 152064)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.experts(64, 1536)

    return model(
        "maple", "maple", s, layer, attention__sliding_window=1024, feed_forward_length=6144,
        attention__sliding_window_pattern=[n % 4 != 3 for n in range(24)], expert_count=64,
        expert_used_count=4, expert_feed_forward_length=1536, swiglu_clamp_exp=[7.0] * 24,
    )  # fmt: skip


def muse_glimmer() -> Model:
    """Muse Glimmer, 52 layers: embeddings normed, a gate for all of attention's result."""
    s = Sizes(52, 5120, 40, 8, 128, 202048)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield "attn_gate.weight", (5120, 5120), Q8_0
        yield from s.feed_forward(17408)

    return model(
        "muse-glimmer", "muse-glimmer", s, layer, attention__sliding_window=2048,
        feed_forward_length=17408, logit_scale=0.25, final_logit_softcapping=30.0,
    )  # fmt: skip


def granite_swa() -> Model:
    """Granite with sliding windows, sinks and experts; the layers with rope are named."""
    slides = [n % 4 != 3 for n in range(40)]
    s = Sizes(40, 2560, 40, 8, 64, 100352)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield "attn_sinks.weight", (40,), F32
        yield from s.experts(64, 768)
        yield "ffn_up_shexp.weight", (2560, 2 * 1024), Q8_0
        yield "ffn_down_shexp.weight", (1024, 2560), Q8_0

    return model(
        "granite-swa", "granite_swa", s, layer, output=False, attention__sliding_window=512,
        attention__sliding_window_pattern=slides, attention__rope_pattern=slides,
        feed_forward_length=768, embedding_scale=12.0, residual_scale=0.22, logit_scale=10.0,
        attention__scale=0.015625, expert_count=64, expert_used_count=8,
        expert_shared_feed_forward_length=1024,
    )  # fmt: skip


def k2_horizon() -> Model:
    """K2 Horizon 36B, 48 layers: values by experts."""
    s = Sizes(48, 2048, 32, 4, 128, 250112)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        for name, dims, kind in s.attention():
            if number == 0 or "attn_v" not in name:
                yield name, dims, kind
        yield "attn_q_norm.weight", (128, 32), F32
        yield "attn_k_norm.weight", (128, 4), F32
        yield "attn_gate.weight", (2048, 4096), Q8_0
        if number == 0:
            yield from s.feed_forward(6144)
            return
        yield "attn_v_gate.weight", (2048, 8), F32
        yield "attn_v_gate.bias", (8,), F32
        yield "attn_v_exps.weight", (2048, 512, 8), Q8_0
        yield from s.experts(128, 768, bias="choice")
        yield from s.feed_forward(768, "_shexp")

    return model(
        "k2-horizon", "k2-horizon", s, layer, feed_forward_length=6144, expert_count=128,
        attention__group_norm_groups=4, expert_used_count=8, expert_feed_forward_length=768,
        leading_dense_block_count=1, expert_shared_count=1, expert_weights_norm=True,
        expert_weights_scale=2.5, expert_gating_func=2, attention__value_expert_count=8,
        attention__value_expert_used_count=2,
    )  # fmt: skip


def deepseek_ocr() -> Model:
    """DeepSeek-OCR's language model: DeepSeek's experts behind plain attention."""
    s = Sizes(12, 1280, 10, 10, 128, 129280, 8192)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        if number == 0:
            yield from s.feed_forward(6848)
        else:
            yield from s.experts(64, 896, Q8_0)
            yield from s.feed_forward(1792, "_shexp")

    return model(
        "deepseek-ocr", "deepseek2-ocr", s, layer, expert_count=64, expert_used_count=6,
        expert_feed_forward_length=896, expert_shared_count=2, leading_dense_block_count=1,
        feed_forward_length=6848, expert_weights_scale=1.0, expert_weights_norm=False,
        rope__freq_base=10000.0,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "cohere2-moe": cohere2_moe,
    "spark-2.5": spark,
    "maple": maple,
    "muse-glimmer": muse_glimmer,
    "granite-swa": granite_swa,
    "k2-horizon": k2_horizon,
    "deepseek-ocr": deepseek_ocr,
}

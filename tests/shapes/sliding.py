"""Other models with experts in which some layers see a window only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def step35() -> Model:
    """Step 3.5 Flash: more heads where attention slides, a gate per head, three drafting blocks.

    Experts of the last two layers are clamped.
    """
    s = Sizes(48, 4096, 64, 8, 128, 128896, 262144)
    slides = [number % 4 != 0 for number in range(48)]

    def layer(number: int) -> Iterator[Tensor]:
        heads = 96 if slides[number] else 64
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q.weight", (4096, heads * 128), Q8_0
        yield "attn_k.weight", (4096, 1024), Q8_0
        yield "attn_v.weight", (4096, 1024), Q8_0
        yield "attn_output.weight", (heads * 128, 4096), Q8_0
        yield "attn_gate.weight", (4096, heads), Q8_0
        yield from s.head_norms()
        if number < 3 or number >= 45:
            yield from s.feed_forward(11264)
        else:
            yield from s.experts(288, 1280, bias="choice")
            yield from s.feed_forward(1280, "_shexp")
        if number >= 45:
            yield "nextn.eh_proj.weight", (2 * 4096, 4096), Q8_0
            yield from s.norms("nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm")
            yield "nextn.shared_head_head.weight", (4096, 128896), Q8_0

    return model(
        "step-3.5-flash", "step35", s, layer, expert_count=288, expert_used_count=8,
        attention__head_count=[96 if one else 64 for one in slides],
        attention__head_count_kv=[8] * 48, expert_feed_forward_length=1280,
        expert_shared_feed_forward_length=1280, expert_weights_scale=3.0,
        expert_weights_norm=True, expert_gating_func=2, feed_forward_length=11264,
        attention__sliding_window=512, attention__sliding_window_pattern=slides,
        leading_dense_block_count=3, rope__dimension_count=64, rope__dimension_count_swa=128,
        rope__freq_base_swa=10000.0, nextn_predict_layers=3,
        swiglu_clamp_exp=[0.0] * 43 + [7.0] * 2 + [0.0] * 3,
        swiglu_clamp_shexp=[0.0] * 44 + [16.0] + [0.0] * 3,
    )  # fmt: skip


def mimo2() -> Model:
    """MiMo-V2-Flash: five sliding layers between full ones."""
    full = {0, 5, 11, 17, 23, 29, 35, 41, 47}
    s = Sizes(48, 4096, 64, 4, 192, 152576, 262144)

    def layer(number: int) -> Iterator[Tensor]:
        kv = 4 if number in full else 8
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q.weight", (4096, 64 * 192), Q8_0
        yield "attn_k.weight", (4096, kv * 192), Q8_0
        yield "attn_v.weight", (4096, kv * 128), Q8_0
        yield "attn_output.weight", (64 * 128, 4096), Q8_0
        if number not in full:
            yield "attn_sinks.weight", (64,), F32
        if number == 0:
            yield from s.feed_forward(16384)
        else:
            yield from s.experts(256, 2048, bias="choice")

    return model(
        "mimo-v2-flash", "mimo2", s, layer, expert_count=256, expert_used_count=8,
        attention__head_count_kv=[4 if n in full else 8 for n in range(48)],
        attention__value_length=128, attention__sliding_window=128,
        attention__sliding_window_pattern=[n not in full for n in range(48)],
        expert_feed_forward_length=2048, feed_forward_length=16384, rope__dimension_count=64,
        rope__freq_base_swa=10000.0, expert_gating_func=2,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "step-3.5-flash": step35,
    "mimo-v2-flash": mimo2,
}

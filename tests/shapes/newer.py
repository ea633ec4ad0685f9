"""Models that are built of parts which others have too, each in its own order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import Q8_0, Tensor


def ling_flash() -> Model:
    """Ling-flash-2.0: q, k and v in one, experts in groups."""
    s = Sizes(32, 4096, 32, 4, 128, 157184)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_qkv.weight", (4096, 4096 + 2 * 512), Q8_0
        yield "attn_output.weight", (4096, 4096), Q8_0
        yield from s.head_norms()
        if number == 0:
            yield from s.feed_forward(9216)
        else:
            yield from s.experts(256, 1024, bias="choice")
            yield from s.feed_forward(1024, "_shexp")

    return model(
        "ling-flash-2.0", "bailingmoe2", s, layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=1024, expert_shared_count=1, leading_dense_block_count=1,
        expert_group_count=8, expert_group_used_count=4, expert_weights_scale=2.5,
        expert_weights_norm=True, expert_gating_func=2, feed_forward_length=9216,
        rope__dimension_count=64,
    )  # fmt: skip


def dots1() -> Model:
    """dots.llm1: no grouped queries."""
    s = Sizes(62, 4096, 32, 32, 128, 152064, 32768)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        if number == 0:
            yield from s.feed_forward(10944)
        else:
            yield from s.experts(128, 1408, Q8_0, bias="choice")
            yield from s.feed_forward(2 * 1408, "_shexp")

    return model(
        "dots.llm1", "dots1", s, layer, expert_count=128, expert_used_count=6,
        expert_feed_forward_length=1408, expert_shared_count=2, leading_dense_block_count=1,
        expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=10944,
    )  # fmt: skip


def k_exaone() -> Model:
    """K-EXAONE 236B: three sliding layers between full ones, a drafting layer last."""
    s = Sizes(49, 6144, 64, 8, 128, 153600, 262144)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        if number == 0:
            yield from s.feed_forward(18432)
        elif number == 48:
            yield from s.feed_forward(18432)
            yield "nextn.eh_proj.weight", (2 * 6144, 6144), Q8_0
            yield from s.norms("nextn.enorm", "nextn.hnorm")
        else:
            yield from s.experts(128, 2048, bias="choice")
            yield from s.feed_forward(2048, "_shexp")

    return model(
        "k-exaone-236b", "exaone-moe", s, layer, expert_count=128, expert_used_count=8,
        expert_feed_forward_length=2048, expert_shared_count=1, leading_dense_block_count=1,
        expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=18432, attention__sliding_window=128, nextn_predict_layers=1,
    )  # fmt: skip


def trinity_mini() -> Model:
    """Trinity Mini 26B: a gate for all of attention's result, norms after each part."""
    s = Sizes(32, 2048, 32, 4, 128, 200192)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.attention()
        yield "attn_gate.weight", (2048, 4096), Q8_0
        yield from s.head_norms()
        if number < 2:
            yield from s.feed_forward(6144)
        else:
            yield from s.experts(128, 1024, bias="choice")
            yield from s.feed_forward(1024, "_shexp")

    return model(
        "trinity-mini", "afmoe", s, layer, expert_count=128, expert_used_count=8,
        expert_feed_forward_length=1024, expert_shared_count=1, leading_dense_block_count=2,
        expert_weights_scale=2.826, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=6144, attention__sliding_window=2048,
    )  # fmt: skip


def glm4() -> Model:
    """GLM-4-32B: both halves of the feed-forward in one, norms after each part."""
    s = Sizes(61, 6144, 48, 2, 128, 151552, 32768)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.attention()
        yield "ffn_up.weight", (6144, 2 * 23040), Q8_0
        yield "ffn_down.weight", (23040, 6144), Q8_0

    return model("glm-4-32b", "glm4", s, layer, feed_forward_length=23040, rope__dimension_count=64)


def seed_oss() -> Model:
    """Seed-OSS 36B."""
    s = Sizes(64, 5120, 80, 8, 128, 155136, 524288)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm")
        yield from s.attention("qkv")
        yield from s.feed_forward(27648)

    return model("seed-oss-36b", "seed_oss", s, layer, feed_forward_length=27648)


def olmoe() -> Model:
    """OLMoE 1B-7B: q and k normed over all heads."""
    s = Sizes(16, 2048, 16, 16, 128, 50304, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm", "attn_q_norm", "attn_k_norm")
        yield from s.attention()
        yield from s.experts(64, 1024)

    return model(
        "olmoe-1b-7b", "olmoe", s, layer, expert_count=64, expert_used_count=8,
        feed_forward_length=1024,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "ling-flash-2.0": ling_flash,
    "dots.llm1": dots1,
    "k-exaone-236b": k_exaone,
    "trinity-mini": trinity_mini,
    "glm-4-32b": glm4,
    "seed-oss-36b": seed_oss,
    "olmoe-1b-7b": olmoe,
}

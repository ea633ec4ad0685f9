"""Other models with experts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import MXFP4, Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def minimax_m2() -> Model:
    """MiniMax-M2.x, 230B."""
    s = Sizes(62, 3072, 48, 8, 128, 200064, 196608)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield "attn_q_norm.weight", (6144,), F32
        yield "attn_k_norm.weight", (1024,), F32
        yield from s.experts(256, 1536, bias="choice")

    return model(
        "minimax-m2.7", "minimax-m2", s, layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=1536, feed_forward_length=1536, expert_gating_func=2,
        rope__dimension_count=64,
    )  # fmt: skip


def gpt_oss(name: str, layers: int, experts: int) -> Model:
    """gpt-oss: sinks, biases everywhere, every second layer slides."""
    s = Sizes(layers, 2880, 64, 8, 64, 201088)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm")
        yield from s.attention(biases="qkvo")
        yield "attn_sinks.weight", (64,), F32
        yield from s.experts(experts, 2880, MXFP4, bias="all")

    return model(
        name, "gpt-oss", s, layer, expert_count=experts, expert_used_count=4,
        expert_feed_forward_length=2880, attention__sliding_window=128,
    )  # fmt: skip


def glm45_air() -> Model:
    """GLM-4.5-Air: one dense layer first, a shared expert, a drafting block last."""
    s = Sizes(47, 4096, 96, 8, 128, 151552)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm")
        yield from s.attention(biases="qkv")
        if number == 0:
            yield from s.feed_forward(10944)
        else:
            yield from s.experts(128, 1408, Q8_0, bias="choice")
            yield from s.feed_forward(1408, "_shexp")
        if number == 46:
            yield "nextn.eh_proj.weight", (8192, 4096), Q8_0
            yield from s.norms("nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm")

    return model(
        "glm-4.5-air", "glm4moe", s, layer, expert_count=128, expert_used_count=8,
        expert_feed_forward_length=1408, expert_shared_count=1, leading_dense_block_count=1,
        expert_gating_func=2, expert_weights_scale=1.0, expert_weights_norm=True,
        feed_forward_length=10944, nextn_predict_layers=1, rope__dimension_count=64,
    )  # fmt: skip


def glm46() -> Model:
    """GLM-4.6, 355B."""
    s = Sizes(93, 5120, 96, 8, 128, 151552, 202752)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm")
        yield from s.attention(biases="qkv")
        yield from s.head_norms()
        if number < 3:
            yield from s.feed_forward(12288)
        else:
            yield from s.experts(160, 1536, bias="choice")
            yield from s.feed_forward(1536, "_shexp")
        if number == 92:
            yield "nextn.eh_proj.weight", (10240, 5120), Q8_0
            yield from s.norms("nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm")

    return model(
        "glm-4.6", "glm4moe", s, layer, expert_count=160, expert_used_count=8,
        expert_feed_forward_length=1536, expert_shared_count=1, leading_dense_block_count=3,
        expert_gating_func=2, expert_weights_scale=2.5, expert_weights_norm=True,
        feed_forward_length=12288, nextn_predict_layers=1, rope__dimension_count=64,
    )  # fmt: skip


def ernie() -> Model:
    """ERNIE-4.5-300B-A47B."""
    s = Sizes(54, 8192, 64, 8, 128, 103424)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        if number < 3:
            yield from s.feed_forward(28672)
        else:
            yield from s.experts(64, 3584, bias="choice")

    return model(
        "ernie-4.5-300b", "ernie4_5-moe", s, layer, expert_count=64, expert_used_count=8,
        expert_feed_forward_length=3584, leading_dense_block_count=3, interleave_moe_layer_step=1,
        feed_forward_length=28672, expert_shared_count=0, expert_shared_feed_forward_length=0,
    )  # fmt: skip


def hunyuan() -> Model:
    """Hunyuan-A13B."""
    s = Sizes(32, 4096, 32, 8, 128, 128167, 262144)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.experts(64, 3072)
        yield from s.feed_forward(3072, "_shexp")

    return model(
        "hunyuan-a13b", "hunyuan-moe", s, layer, expert_count=64, expert_used_count=8,
        expert_feed_forward_length=3072, expert_shared_feed_forward_length=3072,
        feed_forward_length=3072,
    )  # fmt: skip


def phi_moe() -> Model:
    """Phi-3.5-MoE."""
    s = Sizes(32, 4096, 32, 8, 128, 32064)

    def layer(_: int) -> Iterator[Tensor]:
        for name in ("attn_norm", "ffn_norm"):
            yield f"{name}.weight", (4096,), F32
            yield f"{name}.bias", (4096,), F32
        yield from s.attention(biases="qkvo")
        yield from s.experts(16, 6400)

    made = model(
        "phi-3.5-moe", "phimoe", s, layer, expert_count=16, expert_used_count=2,
        feed_forward_length=6400, rope__scaling__original_context_length=4096,
        attention__sliding_window=0,
    )  # fmt: skip
    made.tensors.append(("output_norm.bias", (4096,), F32))
    made.tensors.append(("output.bias", (32064,), F32))
    made.tensors.append(("rope_factors_long.weight", (64,), F32))
    made.tensors.append(("rope_factors_short.weight", (64,), F32))
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "minimax-m2.7": minimax_m2,
    "gpt-oss-120b": lambda: gpt_oss("gpt-oss-120b", 36, 128),
    "gpt-oss-20b": lambda: gpt_oss("gpt-oss-20b", 24, 32),
    "glm-4.5-air": glm45_air,
    "glm-4.6": glm46,
    "ernie-4.5-300b": ernie,
    "hunyuan-a13b": hunyuan,
    "phi-3.5-moe": phi_moe,
}

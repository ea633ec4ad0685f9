"""Qwen's models."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def qwen35(
    name: str, layers: int, hidden: int, heads: int, heads_kv: int, v_heads: int,
    experts: int, width: int,
) -> Model:  # fmt: skip
    """Qwen3.5 with experts: every fourth layer attends, the others are gated delta nets."""
    s = Sizes(layers, hidden, heads, heads_kv, 256, 248320, 262144)
    inner, state, groups = v_heads * 128, 128, 16
    channels = inner + 2 * groups * state

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm")
        if number % 4 == 3:
            yield from s.attention(query=2)
            yield from s.head_norms()
        else:
            yield "attn_qkv.weight", (hidden, channels), Q8_0
            yield "attn_gate.weight", (hidden, inner), Q8_0
            yield "ssm_conv1d.weight", (4, channels), F32
            yield "ssm_dt.bias", (v_heads,), F32
            yield "ssm_a", (v_heads,), F32
            yield "ssm_beta.weight", (hidden, v_heads), Q8_0
            yield "ssm_alpha.weight", (hidden, v_heads), Q8_0
            yield "ssm_norm.weight", (128,), F32
            yield "ssm_out.weight", (inner, hidden), Q8_0
        yield from s.experts(experts, width)
        yield "ffn_gate_inp_shexp.weight", (hidden,), F32
        yield from s.feed_forward(width, "_shexp")

    return model(
        name, "qwen35moe", s, layer, expert_count=experts, expert_used_count=8,
        expert_feed_forward_length=width, expert_shared_feed_forward_length=width,
        full_attention_interval=4, ssm__conv_kernel=4, ssm__inner_size=inner,
        ssm__state_size=state, ssm__time_step_rank=v_heads, ssm__group_count=groups,
        rope__dimension_count=64, rope__dimension_sections=[11, 11, 10, 0],
    )  # fmt: skip


def qwen35_122b() -> Model:
    """Qwen3.5-122B-A10B."""
    return qwen35("qwen3.5-122b-a10b", 48, 3072, 32, 2, 64, 256, 1024)


def qwen35_35b() -> Model:
    """Qwen3.5-35B-A3B."""
    return qwen35("qwen3.5-35b-a3b", 40, 2048, 16, 2, 32, 256, 512)


def delta_net(hidden: int, inner: int, heads: int, groups: int = 16) -> Iterator[Tensor]:
    """A gated delta net's tensors as Qwen3.5 has them."""
    channels = inner + 2 * groups * 128
    yield "attn_qkv.weight", (hidden, channels), Q8_0
    yield "attn_gate.weight", (hidden, inner), Q8_0
    yield "ssm_conv1d.weight", (4, channels), F32
    yield "ssm_dt.bias", (heads,), F32
    yield "ssm_a", (heads,), F32
    yield "ssm_beta.weight", (hidden, heads), Q8_0
    yield "ssm_alpha.weight", (hidden, heads), Q8_0
    yield "ssm_norm.weight", (128,), F32
    yield "ssm_out.weight", (inner, hidden), Q8_0


def qwen35_27b() -> Model:
    """Qwen3.5-27B, dense."""
    s = Sizes(64, 5120, 24, 4, 256, 248320, 262144)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm")
        if number % 4 == 3:
            yield from s.attention(query=2)
            yield from s.head_norms()
        else:
            yield from delta_net(5120, 6144, 48)
        yield from s.feed_forward(17408)

    return model(
        "qwen3.5-27b", "qwen35", s, layer, feed_forward_length=17408, full_attention_interval=4,
        ssm__conv_kernel=4, ssm__inner_size=6144, ssm__state_size=128, ssm__time_step_rank=48,
        ssm__group_count=16, rope__dimension_count=64,
        rope__dimension_sections=[11, 11, 10, 0],
    )  # fmt: skip


def qwen3_next() -> Model:
    """Qwen3-Next-80B-A3B and Qwen3-Coder-Next."""
    s = Sizes(48, 2048, 16, 2, 256, 151936, 262144)
    inner, channels = 4096, 4096 + 2 * 16 * 128

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm")
        if number % 4 == 3:
            yield from s.attention(query=2)
            yield from s.head_norms()
        else:
            yield "attn_qkv.weight", (2048, channels), Q8_0
            yield "attn_gate.weight", (2048, inner), Q8_0
            yield "ssm_conv1d.weight", (4, channels), F32
            yield "ssm_dt.bias", (32,), F32
            yield "ssm_a", (32,), F32
            yield "ssm_ba.weight", (2048, 64), Q8_0
            yield "ssm_norm.weight", (128,), F32
            yield "ssm_out.weight", (inner, 2048), Q8_0
        yield from s.experts(512, 512)
        yield "ffn_gate_inp_shexp.weight", (2048,), F32
        yield from s.feed_forward(512, "_shexp")

    return model(
        "qwen3-next-80b", "qwen3next", s, layer, expert_count=512, expert_used_count=10,
        expert_feed_forward_length=512, expert_shared_feed_forward_length=512,
        ssm__conv_kernel=4, ssm__inner_size=inner, ssm__state_size=128,
        ssm__time_step_rank=32, ssm__group_count=16, rope__dimension_count=64,
    )  # fmt: skip


def qwen3_moe(name: str, layers: int, hidden: int, heads: int, width: int) -> Model:
    """Qwen3 with experts."""
    s = Sizes(layers, hidden, heads, 4, 128, 151936, 262144)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.experts(128, width)

    return model(
        name, "qwen3moe", s, layer, expert_count=128, expert_used_count=8,
        expert_feed_forward_length=width,
    )  # fmt: skip


def qwen3_dense() -> Model:
    """Qwen3 32B."""
    s = Sizes(64, 5120, 64, 8, 128, 151936, 40960)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.feed_forward(25600)

    return model("qwen3-32b", "qwen3", s, layer, feed_forward_length=25600)


def qwen2_moe() -> Model:
    """Qwen2-57B-A14B."""
    s = Sizes(28, 3584, 28, 4, 128, 151936)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention(biases="qkv")
        yield from s.experts(64, 2560)
        yield "ffn_gate_inp_shexp.weight", (3584,), F32
        yield from s.feed_forward(20480, "_shexp")

    return model(
        "qwen2-57b-a14b", "qwen2moe", s, layer, expert_count=64, expert_used_count=8,
        expert_feed_forward_length=2560, expert_shared_feed_forward_length=20480,
        feed_forward_length=18944,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "qwen3.5-122b-a10b": qwen35_122b,
    "qwen3.5-35b-a3b": qwen35_35b,
    "qwen3-235b": lambda: qwen3_moe("qwen3-235b", 94, 4096, 64, 1536),
    "qwen3-30b": lambda: qwen3_moe("qwen3-30b", 48, 2048, 32, 768),
    "qwen3-next-80b": qwen3_next,
    "qwen3-32b": qwen3_dense,
    "qwen3.5-27b": qwen35_27b,
    "qwen2-57b-a14b": qwen2_moe,
}

"""Models in which Mamba-2 or short convolutions stand beside attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def granite_hybrid() -> Model:
    """Granite 4 H-Small: Mamba-2 with four layers of attention, experts in all."""
    s = Sizes(40, 4096, 32, 8, 128, 100352)
    attends = (5, 15, 25, 35)
    inner, state, groups, heads = 8192, 128, 1, 128

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if number in attends:
            yield from s.attention()
        else:
            yield from s.mamba2(inner, state, groups, heads)
        yield from s.experts(72, 768)
        yield from s.feed_forward(1536, "_shexp")

    return model(
        "granite-4-h-small", "granitehybrid", s, layer, expert_count=72, expert_used_count=10,
        feed_forward_length=768, expert_feed_forward_length=768,
        expert_shared_feed_forward_length=1536, rope__scaling__finetuned=False,
        attention__head_count_kv=[8 if n in attends else 0 for n in range(40)],
        ssm__conv_kernel=4, ssm__inner_size=inner, ssm__state_size=state, ssm__group_count=groups,
        ssm__time_step_rank=heads, embedding_scale=12.0, residual_scale=0.22, logit_scale=16.0,
        attention__scale=0.0078125,
    )  # fmt: skip


def nemotron_h() -> Model:
    """Nemotron 3 Nano 30B-A3B: Mamba-2, attention and experts in layers of their own."""
    pattern = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
    s = Sizes(len(pattern), 2688, 32, 2, 128, 131072)
    inner, state, groups, heads = 4096, 128, 8, 64

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        if pattern[number] == "M":
            yield from s.mamba2(inner, state, groups, heads)
        elif pattern[number] == "*":
            yield from s.attention()
        else:
            yield "ffn_gate_inp.weight", (2688, 128), F32
            yield "exp_probs_b.bias", (128,), F32
            yield "ffn_up_exps.weight", (2688, 1856, 128), Q8_0
            yield "ffn_down_exps.weight", (1856, 2688, 128), Q8_0
            yield "ffn_up_shexp.weight", (2688, 3712), Q8_0
            yield "ffn_down_shexp.weight", (3712, 2688), Q8_0

    return model(
        "nemotron-3-nano", "nemotron_h_moe", s, layer, expert_count=128, expert_used_count=6,
        expert_feed_forward_length=1856, expert_shared_feed_forward_length=3712,
        expert_shared_count=1, expert_weights_norm=True, expert_weights_scale=2.5,
        attention__head_count_kv=[2 if p == "*" else 0 for p in pattern],
        feed_forward_length=[1856 if p == "E" else 0 for p in pattern],
        ssm__conv_kernel=4, ssm__inner_size=inner, ssm__state_size=state, ssm__group_count=groups,
        ssm__time_step_rank=heads,
    )  # fmt: skip


def lfm2() -> Model:
    """LFM2-8B-A1B: short convolutions and attention."""
    attends = (2, 6, 10, 14, 18, 21)
    s = Sizes(24, 2048, 32, 8, 64, 65536, 128000)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if number in attends:
            yield from s.attention()
            yield from s.head_norms()
        else:
            yield "shortconv.conv.weight", (3, 2048), F32
            yield "shortconv.in_proj.weight", (2048, 3 * 2048), Q8_0
            yield "shortconv.out_proj.weight", (2048, 2048), Q8_0
        if number < 2:
            yield from s.feed_forward(7168)
        else:
            yield from s.experts(32, 1792, bias="choice")

    made = model(
        "lfm2-8b-a1b", "lfm2moe", s, layer, output=False, expert_count=32, expert_used_count=4,
        attention__head_count_kv=[8 if n in attends else 0 for n in range(24)],
        feed_forward_length=7168, expert_feed_forward_length=1792, expert_gating_func=2,
        leading_dense_block_count=2, shortconv__l_cache=3,
    )  # fmt: skip
    made.tensors.remove(("output_norm.weight", (2048,), F32))
    made.tensors.append(("token_embd_norm.weight", (2048,), F32))
    return made


def falcon_h1() -> Model:
    """Falcon-H1 34B: attention and Mamba-2 beside each other in every layer."""
    s = Sizes(72, 5120, 20, 4, 128, 261120, 262144)
    inner, state, groups, heads = 10240, 256, 2, 32

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield "ffn_norm", (5120,), F32
        yield from s.attention()
        yield from s.mamba2(inner, state, groups, heads)
        yield from s.feed_forward(21504)

    return model(
        "falcon-h1-34b", "falcon-h1", s, layer, feed_forward_length=21504,
        ssm__conv_kernel=4, ssm__inner_size=inner, ssm__state_size=state,
        ssm__group_count=groups, ssm__time_step_rank=heads,
    )  # fmt: skip


def nemotron_super() -> Model:
    """Nemotron 3 Super 120B-A12B: experts on a quarter of a layer's elements."""
    pattern = "MEMEMEM*E" + "MEMEMEM*E" * 2 + "MEMEMEMEM*E" * 4 + "MEMEMEM*E" + "MEMEMEME"
    s = Sizes(len(pattern), 4096, 32, 2, 128, 131072, 262144)
    inner, state, groups, heads = 8192, 128, 8, 128

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        if pattern[number] == "M":
            yield from s.mamba2(inner, state, groups, heads)
        elif pattern[number] == "*":
            yield from s.attention()
        else:
            yield "ffn_gate_inp.weight", (4096, 512), F32
            yield "exp_probs_b.bias", (512,), F32
            yield "ffn_latent_down.weight", (4096, 1024), Q8_0
            yield "ffn_latent_up.weight", (1024, 4096), Q8_0
            yield "ffn_up_exps.weight", (1024, 2688, 512), Q8_0
            yield "ffn_down_exps.weight", (2688, 1024, 512), Q8_0
            yield "ffn_up_shexp.weight", (4096, 5376), Q8_0
            yield "ffn_down_shexp.weight", (5376, 4096), Q8_0

    return model(
        "nemotron-3-super", "nemotron_h_moe", s, layer, expert_count=512, expert_used_count=22,
        expert_feed_forward_length=2688, expert_shared_feed_forward_length=5376,
        expert_shared_count=1, expert_weights_norm=True, expert_weights_scale=5.0,
        attention__head_count_kv=[2 if p == "*" else 0 for p in pattern], moe_latent_size=1024,
        feed_forward_length=[2688 if p == "E" else 0 for p in pattern],
        ssm__conv_kernel=4, ssm__inner_size=inner, ssm__state_size=state, ssm__group_count=groups,
        ssm__time_step_rank=heads,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "granite-4-h-small": granite_hybrid,
    "nemotron-3-nano": nemotron_h,
    "nemotron-3-super": nemotron_super,
    "lfm2-8b-a1b": lfm2,
    "falcon-h1-34b": falcon_h1,
}

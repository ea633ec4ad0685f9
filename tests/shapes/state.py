"""Models that keep a state instead of a cache, in all layers or most."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def mamba_layer(
    hidden: int, inner: int, state: int, rank: int, normed: bool = False
) -> Iterator[Tensor]:
    """A layer of the first Mamba; `normed` where B, C and the step have norms."""
    yield "ssm_in.weight", (hidden, 2 * inner), Q8_0
    yield "ssm_conv1d.weight", (4, inner), F32
    yield "ssm_conv1d.bias", (inner,), F32
    yield "ssm_x.weight", (inner, rank + 2 * state), Q8_0
    yield "ssm_dt.weight", (rank, inner), F32
    yield "ssm_dt.bias", (inner,), F32
    yield "ssm_a", (state, inner), F32
    yield "ssm_d", (inner,), F32
    yield "ssm_out.weight", (inner, hidden), Q8_0
    if normed:
        yield "ssm_dt_norm.weight", (rank,), F32
        yield "ssm_b_norm.weight", (state,), F32
        yield "ssm_c_norm.weight", (state,), F32


def falcon_mamba() -> Model:
    """Falcon-Mamba 7B: norms without weights."""
    s = Sizes(64, 4096, 0, 0, 0, 65024, 8192)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from mamba_layer(4096, 8192, 16, 256)

    return model(
        "falcon-mamba-7b", "mamba", s, layer, feed_forward_length=0, ssm__conv_kernel=4,
        ssm__inner_size=8192, ssm__state_size=16, ssm__time_step_rank=256, ssm__dt_b_c_rms=True,
    )  # fmt: skip


def mamba(name: str, layers: int, hidden: int) -> Model:
    """Mamba."""
    s = Sizes(layers, hidden, 0, 0, 0, 50280, 1048576)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from mamba_layer(hidden, 2 * hidden, 16, hidden // 16)

    return model(
        name, "mamba", s, layer, output=False, feed_forward_length=0, ssm__conv_kernel=4,
        ssm__inner_size=2 * hidden, ssm__state_size=16, ssm__time_step_rank=hidden // 16,
    )  # fmt: skip


def codestral_mamba() -> Model:
    """Codestral Mamba 7B, of the second Mamba."""
    s = Sizes(64, 4096, 0, 0, 0, 32768, 262144)
    inner, groups, heads, state = 8192, 8, 128, 128
    channels = inner + 2 * groups * state

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield "ssm_in.weight", (4096, inner + channels + heads), Q8_0
        yield "ssm_conv1d.weight", (4, channels), F32
        yield "ssm_conv1d.bias", (channels,), F32
        yield "ssm_dt.bias", (heads,), F32
        yield "ssm_a", (1, heads), F32
        yield "ssm_d", (1, heads), F32
        yield "ssm_norm.weight", (inner // groups, groups), F32
        yield "ssm_out.weight", (inner, 4096), Q8_0

    return model(
        "codestral-mamba-7b", "mamba2", s, layer, feed_forward_length=0, ssm__conv_kernel=4,
        ssm__inner_size=inner, ssm__state_size=state, ssm__time_step_rank=heads,
        ssm__group_count=groups,
    )  # fmt: skip


def jamba(name: str, layers: int, hidden: int, experts: int, width: int) -> Model:
    """Jamba: of eight layers one attends, every second has experts."""
    heads_kv = 8 if experts else 1
    s = Sizes(layers, hidden, hidden // 128, heads_kv, 128, 65536, 262144)
    kv = [heads_kv if number % 8 == 4 else 0 for number in range(layers)]

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if kv[number]:
            yield from s.attention()
        else:
            yield from mamba_layer(hidden, 2 * hidden, 16, hidden // 16, True)
        if number % 2 and experts:
            yield from s.experts(experts, width)
        else:
            yield from s.feed_forward(width)

    keys: dict[str, Any] = {"expert_count": experts, "expert_used_count": 2} if experts else {}
    return model(
        name, "jamba", s, layer, feed_forward_length=width, ssm__conv_kernel=4,
        ssm__inner_size=2 * hidden, ssm__state_size=16, ssm__time_step_rank=hidden // 16,
        attention__head_count_kv=kv, **keys,
    )  # fmt: skip


def plamo2() -> Model:
    """PLaMo 2 8B: every second layer attends, norms before and after each part."""
    s = Sizes(32, 4096, 32, 4, 128, 100000, 32768)
    kv = [4 if number % 2 else 0 for number in range(32)]
    inner, heads, state, step = 8192, 64, 64, 256

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "post_attention_norm", (4096,), F32
        yield "post_ffw_norm", (4096,), F32
        if kv[number]:
            yield "attn_qkv.weight", (4096, 4096 + 2 * 512), Q8_0
            yield "attn_q_norm.weight", (128, 32), F32
            yield "attn_k_norm.weight", (128, 4), F32
            yield "attn_output.weight", (4096, 4096), Q8_0
        else:
            yield "ssm_in.weight", (4096, 2 * inner), Q8_0
            yield "ssm_conv1d.weight", (4, inner), F32
            yield "ssm_x.weight", (inner, step + 2 * state), Q8_0
            yield "ssm_dt.weight", (step, heads), F32
            yield "ssm_dt.bias", (heads,), F32
            for part in "ad":
                yield f"ssm_{part}", (heads,), F32
            yield "ssm_out.weight", (inner, 4096), Q8_0
            yield "ssm_dt_norm", (step,), F32
            yield "ssm_b_norm", (state,), F32
            yield "ssm_c_norm", (state,), F32
        yield "ffn_up.weight", (4096, 2 * 16384), Q8_0
        yield "ffn_down.weight", (16384, 4096), Q8_0

    return model(
        "plamo-2-8b", "plamo2", s, layer, feed_forward_length=16384, ssm__conv_kernel=4,
        ssm__inner_size=inner, ssm__state_size=state, ssm__time_step_rank=heads,
        ssm__group_count=0, attention__head_count_kv=kv,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "falcon-mamba-7b": falcon_mamba,
    "mamba-2.8b": lambda: mamba("mamba-2.8b", 64, 2560),
    "codestral-mamba-7b": codestral_mamba,
    "jamba-mini": lambda: jamba("jamba-mini", 32, 4096, 16, 14336),
    "jamba-3b": lambda: jamba("jamba-3b", 28, 2560, 0, 8192),
    "plamo-2-8b": plamo2,
}

"""Models with Kimi's delta attention and latent attention: Ling 3 and Kimi K3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor

HEAD, RANK, ROPE = 128, 512, 64


def delta(s: Sizes) -> Iterator[Tensor]:
    """What every delta attention has: q, k and v with their kernels, beta, the result's norm."""
    width = s.heads * HEAD
    for part in "qkv":
        yield f"attn_{part}.weight", (s.hidden, width), Q8_0
        yield f"ssm_conv1d_{part}.weight", (4, 1, width), F32
    yield "ssm_beta.weight", (s.hidden, s.heads), Q8_0
    yield "ssm_dt.bias", (width,), F32
    yield "ssm_norm.weight", (HEAD,), F32


def latent(s: Sizes, query: int, gate: int) -> Iterator[Tensor]:
    """Absorbed latent attention with a gate so wide; `query` is the rank of the query."""
    if query:
        yield "attn_q_a.weight", (s.hidden, query), Q8_0
        yield "attn_q_a_norm.weight", (query,), F32
        yield "attn_q_b.weight", (query, s.heads * 192), Q8_0
    else:
        yield "attn_q.weight", (s.hidden, s.heads * 192), Q8_0
    yield "attn_kv_a_mqa.weight", (s.hidden, RANK + ROPE), Q8_0
    yield "attn_kv_a_norm.weight", (RANK,), F32
    yield "attn_k_b.weight", (192 - ROPE, RANK, s.heads), Q8_0
    yield "attn_v_b.weight", (RANK, HEAD, s.heads), Q8_0
    yield "attn_gate.weight", (s.hidden, gate), Q8_0


def keys(query: int, full: list[bool], experts: int, width: int) -> dict[str, Any]:
    """Their metadata, as those of both name them."""
    return {
        "attention__q_lora_rank": query, "attention__kv_lora_rank": RANK,
        "attention__value_length": RANK, "attention__key_length_mla": 192,
        "attention__value_length_mla": HEAD, "rope__dimension_count": ROPE,
        "ssm__conv_kernel": 4, "kda__head_dim": HEAD, "kda__gate_lower_bound": -5.0,
        "attention__head_count_kv": [int(one) for one in full], "expert_count": experts,
        "expert_used_count": 8, "expert_feed_forward_length": width, "expert_shared_count": 1,
        "leading_dense_block_count": 1, "expert_weights_scale": 2.5, "expert_weights_norm": True,
        "expert_gating_func": 2,
    }  # fmt: skip


def ling3(
    name: str, layers: int, hidden: int, heads: int, experts: int, width: int, query: int = 0,
    drafting: int = 0,
) -> Model:  # fmt: skip
    """Ling 3: every fourth layer latent, those that draft have a cache too."""
    s = Sizes(layers + drafting, hidden, heads, 1, RANK + ROPE, 157184)
    full = [number % 4 == 3 or number >= layers for number in range(layers + drafting)]

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if full[number]:
            yield from latent(s, query, heads)
        else:
            yield from delta(s)
            yield "ssm_f_a.weight", (hidden, heads * HEAD), Q8_0
            yield "ssm_g_a.weight", (hidden, heads * HEAD), Q8_0
            yield "ssm_a", (1, heads), F32
        yield "attn_output.weight", (heads * HEAD, hidden), Q8_0
        if number == 0:
            yield from s.feed_forward(4 * hidden)
        else:
            yield from s.experts(experts, width, Q8_0, bias="choice")
            yield from s.feed_forward(width, "_shexp")
        if number >= layers:
            yield "nextn.eh_proj.weight", (2 * hidden, hidden), Q8_0
            yield from s.norms("nextn.enorm", "nextn.hnorm", "layer_output_norm")

    return model(
        name, "bailingmoe3", s, layer, nextn_predict_layers=drafting,
        **keys(query, full, experts, width),
    )  # fmt: skip


def kimi_k3() -> Model:
    """Kimi K3, a quarter of its 93 layers: inputs of every twelfth are kept for all later parts."""
    s = Sizes(24, 7168, 64, 1, RANK + ROPE, 163840)
    full = [number % 4 == 3 for number in range(24)]
    narrow, width = 3584, 2048

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm", "attn_res_score", "ffn_res_score")
        if full[number]:
            yield from latent(s, 1536, 64 * HEAD)
        else:
            yield from delta(s)
            yield "ssm_f_a.weight", (7168, HEAD), Q8_0
            yield "ssm_f_b.weight", (HEAD, 64 * HEAD), Q8_0
            yield "ssm_g.weight", (7168, 64 * HEAD), Q8_0
            yield "ssm_a", (64,), F32
        yield "attn_output.weight", (64 * HEAD, 7168), Q8_0
        if number == 0:
            yield from s.feed_forward(18432)
            return
        yield "ffn_gate_inp.weight", (7168, 384), F32
        yield "exp_probs_b.bias", (384,), F32
        yield "ffn_gate_exps.weight", (narrow, width, 384), Q8_0
        yield "ffn_up_exps.weight", (narrow, width, 384), Q8_0
        yield "ffn_down_exps.weight", (width, narrow, 384), Q8_0
        yield "ffn_routed_down.weight", (7168, narrow), Q8_0
        yield "ffn_routed_up.weight", (narrow, 7168), Q8_0
        yield "ffn_routed_norm.weight", (narrow,), F32
        yield from s.feed_forward(width, "_shexp")

    made = model(
        "kimi-k3", "kimi-k3", s, layer, feed_forward_length=18432, expert_latent_length=narrow,
        attn_res__block_size=12, activation__situ_beta=1.0, activation__situ_linear_beta=1.0,
        **keys(1536, full, 384, width),
    )  # fmt: skip
    made.tensors.append(("output_res_score.weight", (7168,), F32))
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "ling-3-124b": lambda: ling3("ling-3-124b", 42, 2560, 32, 512, 768),
    "ling-3-8b": lambda: ling3("ling-3-8b", 24, 1536, 16, 128, 512, 768, drafting=1),
    "kimi-k3": kimi_k3,
}

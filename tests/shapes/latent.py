"""Models with latent attention: DeepSeek, Kimi, GLM-5."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import I32, MXFP4, Model, Sizes, model
from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor


def deepseek_v3() -> Model:
    """DeepSeek-V3 (and, with other counts, Kimi K2): latent attention, three dense layers first."""
    s = Sizes(61, 7168, 128, 1, 576, 129280, 163840)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q_a.weight", (7168, 1536), Q8_0
        yield "attn_q_a_norm.weight", (1536,), F32
        yield "attn_q_b.weight", (1536, 128 * 192), Q8_0
        yield "attn_kv_a_mqa.weight", (7168, 576), Q8_0
        yield "attn_kv_a_norm.weight", (512,), F32
        yield "attn_k_b.weight", (128, 512, 128), Q8_0
        yield "attn_v_b.weight", (512, 128, 128), Q8_0
        yield "attn_output.weight", (128 * 128, 7168), Q8_0
        if number < 3:
            yield from s.feed_forward(18432)
        else:
            yield from s.experts(256, 2048, bias="choice")
            yield from s.feed_forward(2048, "_shexp")

    return model(
        "deepseek-v3", "deepseek2", s, layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=2048, expert_shared_count=1, leading_dense_block_count=3,
        expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2,
        expert_group_count=8, expert_group_used_count=4, feed_forward_length=18432,
        attention__q_lora_rank=1536, attention__kv_lora_rank=512, attention__key_length=576,
        attention__value_length=512, attention__key_length_mla=192,
        attention__value_length_mla=128, rope__dimension_count=64,
    )  # fmt: skip


def latent(
    name: str, layers: int, hidden: int, heads: int, dense: int, width: int, experts: int,
    used: int, middle: int, shared: int, query: int = 0,
) -> Model:  # fmt: skip
    """DeepSeek-V2-Lite, Kimi K2: latent attention in other sizes."""
    s = Sizes(layers, hidden, heads, 1, 576, 163840, 131072)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if query:
            yield "attn_q_a.weight", (hidden, query), Q8_0
            yield "attn_q_a_norm.weight", (query,), F32
            yield "attn_q_b.weight", (query, heads * 192), Q8_0
        else:
            yield "attn_q.weight", (hidden, heads * 192), Q8_0
        yield "attn_kv_a_mqa.weight", (hidden, 576), Q8_0
        yield "attn_kv_a_norm.weight", (512,), F32
        yield "attn_k_b.weight", (128, 512, heads), Q8_0
        yield "attn_v_b.weight", (512, 128, heads), Q8_0
        yield "attn_output.weight", (heads * 128, hidden), Q8_0
        if number < dense:
            yield from s.feed_forward(width)
        else:
            yield from s.experts(experts, middle, Q8_0 if middle % 256 else Q4_K, bias="choice")
            yield from s.feed_forward(middle * shared, "_shexp")

    more: dict[str, Any] = {"attention__q_lora_rank": query} if query else {}
    return model(
        name, "deepseek2", s, layer, expert_count=experts, expert_used_count=used,
        expert_feed_forward_length=middle, expert_shared_count=shared,
        leading_dense_block_count=dense, expert_weights_scale=2.5, expert_weights_norm=True,
        expert_gating_func=2, feed_forward_length=width, attention__kv_lora_rank=512,
        attention__key_length=576, attention__value_length=512, attention__key_length_mla=192,
        attention__value_length_mla=128, rope__dimension_count=64, **more,
    )  # fmt: skip


def glm_dsa() -> Model:
    """GLM-5: latent attention over rows that an indexer picks."""
    s = Sizes(79, 6144, 64, 1, 576, 154880, 202752)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q_a.weight", (6144, 2048), Q8_0
        yield "attn_q_a_norm.weight", (2048,), F32
        yield "attn_q_b.weight", (2048, 64 * 256), Q8_0
        yield "attn_kv_a_mqa.weight", (6144, 576), Q8_0
        yield "attn_kv_a_norm.weight", (512,), F32
        yield "attn_k_b.weight", (192, 512, 64), Q8_0
        yield "attn_v_b.weight", (512, 256, 64), Q8_0
        yield "attn_output.weight", (64 * 256, 6144), Q8_0
        yield "indexer.k_norm.weight", (128,), F32
        yield "indexer.k_norm.bias", (128,), F32
        yield "indexer.proj.weight", (6144, 32), Q8_0
        yield "indexer.attn_k.weight", (6144, 128), Q8_0
        yield "indexer.attn_q_b.weight", (2048, 32 * 128), Q8_0
        if number < 3:
            yield from s.feed_forward(12288)
        else:
            yield from s.experts(256, 2048, bias="choice")
            yield from s.feed_forward(2048, "_shexp")
        if number == 78:
            yield "nextn.eh_proj.weight", (2 * 6144, 6144), Q8_0
            yield from s.norms("nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm")

    return model(
        "glm-5", "glm-dsa", s, layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=2048, expert_shared_count=1, leading_dense_block_count=3,
        expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=12288, attention__q_lora_rank=2048, attention__kv_lora_rank=512,
        attention__key_length=576, attention__value_length=512, attention__key_length_mla=256,
        attention__value_length_mla=256, rope__dimension_count=64, nextn_predict_layers=1,
        attention__indexer__head_count=32, attention__indexer__key_length=128,
        attention__indexer__top_k=2048,
    )  # fmt: skip


def deepseek_v4_flash() -> Model:
    """DeepSeek-V4-Flash."""
    s = Sizes(43, 4096, 64, 1, 512, 129280, 1048576)
    ratios = [0, 0, *([4, 128] * 21)][:43]

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_sinks.weight", (64,), F32
        yield "attn_q_a.weight", (4096, 1024), Q8_0
        yield "attn_q_a_norm.weight", (1024,), F32
        yield "attn_q_b.weight", (1024, 64 * 512), Q8_0
        yield "attn_kv.weight", (4096, 512), Q8_0
        yield "attn_kv_a_norm.weight", (512,), F32
        yield "attn_output_a.weight", (4096, 8 * 1024), Q8_0
        yield "attn_output_b.weight", (8 * 1024, 4096), Q8_0
        for part in ("attn", "ffn"):
            yield f"hc_{part}_fn.weight", (4 * 4096, 24), F32
            yield f"hc_{part}_base.weight", (24,), F32
            yield f"hc_{part}_scale.weight", (3,), F32
        factor = 2 if ratios[number] == 4 else 1
        if ratios[number]:
            yield "attn_compressor_kv.weight", (4096, factor * 512), Q8_0
            yield "attn_compressor_gate.weight", (4096, factor * 512), Q8_0
            yield "attn_compressor_ape.weight", (factor * 512, ratios[number]), F32
            yield "attn_compressor_norm.weight", (512,), F32
        if ratios[number] == 4:
            yield "indexer.proj.weight", (4096, 64), Q8_0
            yield "indexer.attn_q_b.weight", (1024, 64 * 128), Q8_0
            yield "indexer_compressor_kv.weight", (4096, 256), Q8_0
            yield "indexer_compressor_gate.weight", (4096, 256), Q8_0
            yield "indexer_compressor_ape.weight", (256, 4), F32
            yield "indexer_compressor_norm.weight", (128,), F32
        yield from s.experts(256, 2048, MXFP4, bias="" if number < 3 else "choice")
        if number < 3:
            yield "ffn_gate_tid2eid.weight", (6, 129280), I32
        yield from s.feed_forward(2048, "_shexp")

    made = model(
        "deepseek-v4-flash", "deepseek4", s, layer, expert_count=256, expert_used_count=6,
        expert_feed_forward_length=2048, expert_shared_count=1, expert_weights_scale=1.5,
        expert_weights_norm=True, expert_gating_func=4, feed_forward_length=2048,
        swiglu_clamp_exp=[10.0] * 43, attention__q_lora_rank=1024,
        attention__sliding_window=128, attention__indexer__head_count=64,
        attention__indexer__key_length=128, attention__indexer__top_k=512,
        attention__output_group_count=8, attention__output_lora_rank=1024,
        attention__compress_rope_freq_base=160000.0, attention__compress_ratios=ratios,
        hyper_connection__count=4, hyper_connection__sinkhorn_iterations=20,
        hyper_connection__epsilon=1e-6, hash_layer_count=3, rope__dimension_count=64,
    )  # fmt: skip
    made.tensors.append(("output_hc_fn.weight", (4 * 4096, 4), F32))
    made.tensors.append(("output_hc_base.weight", (4,), F32))
    made.tensors.append(("output_hc_scale.weight", (1,), F32))
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "deepseek-v4-flash": deepseek_v4_flash,
    "deepseek-v3": deepseek_v3,
    "deepseek-v2-lite": lambda: latent("deepseek-v2-lite", 27, 2048, 16, 1, 10944, 64, 6, 1408, 2),
    "kimi-k2": lambda: latent("kimi-k2", 61, 7168, 64, 1, 18432, 384, 8, 2048, 1, 1536),
    "glm-5": glm_dsa,
}

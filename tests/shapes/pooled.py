"""Models with residual streams whose attention sees what an indexer picks: GLM-5.3, Hunyuan 4."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.delta import HEAD, delta, latent
from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor

POOL, RANK, QUERY, INDEX = 4, 512, 1536, 128


def hyper(hidden: int) -> Iterator[Tensor]:
    """Four residual streams mixed before and after each part."""
    for part in ("attn", "ffn"):
        yield f"hc_{part}_fn.weight", (4 * hidden, 24), F32
        yield f"hc_{part}_base.weight", (24,), F32
        yield f"hc_{part}_scale.weight", (3,), F32


def glm53_flash() -> Model:
    """GLM-5.3-Flash, 45 layers: every fourth has latent attention, others reuse its indexer."""
    hidden, heads, value = 4096, 64, 128
    s = Sizes(46, hidden, heads, 1, RANK, 154880, 202752)
    full = [number % 4 == 3 or number == 45 for number in range(46)]
    indexed = [int(number % 8 == 3) for number in range(45)]

    def attention(number: int) -> Iterator[Tensor]:
        yield "attn_q_a.weight", (hidden, QUERY), Q8_0
        yield "attn_q_a_norm.weight", (QUERY,), F32
        yield "attn_q_b.weight", (QUERY, heads * 192), Q8_0
        yield "attn_kv_a_mqa.weight", (hidden, RANK), Q8_0
        yield "attn_kv_a_norm.weight", (RANK,), F32
        yield "attn_k_b.weight", (192, RANK, heads), Q8_0
        yield "attn_v_b.weight", (RANK, value, heads), Q8_0
        yield "attn_output.weight", (heads * value, hidden), Q8_0
        if number == 45 or indexed[number]:
            yield "indexer.k_norm.weight", (INDEX,), F32
            yield "indexer.k_norm.bias", (INDEX,), F32
            yield "indexer.proj.weight", (hidden, 32), Q8_0
            yield "indexer.attn_k.weight", (hidden, INDEX), Q8_0
            yield "indexer.attn_q_b.weight", (QUERY, 32 * INDEX), Q8_0
            yield "indexer_compressor_gate.weight", (hidden, INDEX), Q8_0
            yield "indexer_compressor_ape.weight", (INDEX, POOL), F32

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if number < 45:
            yield from hyper(hidden)
        if full[number]:
            yield from attention(number)
        else:
            yield from delta(s)
            for part in "fg":
                yield f"ssm_{part}_a.weight", (hidden, HEAD), Q8_0
                yield f"ssm_{part}_b.weight", (HEAD, heads * HEAD), Q8_0
            yield "ssm_a", (heads,), F32
            yield "attn_output.weight", (heads * HEAD, hidden), Q8_0
        if number == 0:
            yield from s.feed_forward(12288)
        else:
            yield from s.experts(256, 2048, bias="choice")
            yield from s.feed_forward(2048, "_shexp")
        if number == 45:
            yield "nextn.eh_proj.weight", (2 * hidden, hidden), Q8_0
            yield from s.norms("nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm")

    return model(
        "glm-5.3-flash", "glm5-next", s, layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=2048, expert_shared_count=1, leading_dense_block_count=1,
        expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=12288, attention__kv_lora_rank=RANK, attention__q_lora_rank=QUERY,
        attention__key_length_mla=192, attention__value_length_mla=value, rope__dimension_count=0,
        attention__head_count_kv=[int(one) for one in full], nextn_predict_layers=1,
        ssm__conv_kernel=4, kda__head_dim=HEAD, kda__gate_lower_bound=-5.0,
        attention__indexer__head_count=32, attention__indexer__key_length=INDEX,
        attention__indexer__top_k=2048, attention__indexer__kpool=POOL,
        attention__indexer__types=indexed, hyper_connection__count=4,
        hyper_connection__sinkhorn_iterations=20, hyper_connection__epsilon=1e-6,
    )  # fmt: skip


def hunyuan4() -> Model:
    """Hunyuan 4, of a size of its kind: sinks, a gate, every fourth layer's indexer."""
    hidden, heads, value = 4096, 64, 128
    s = Sizes(40, hidden, heads, 1, RANK + 64, 120832, 262144)
    indexed = [int(number % 4 == 0) for number in range(40)]

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_sinks.weight", (heads,), F32
        for part in ("attn", "ffn"):
            yield f"hc_{part}_fn.weight", (4 * hidden, 8), F32
            yield f"hc_{part}_base.weight", (8,), F32
            yield f"hc_{part}_scale.weight", (2,), F32
        yield from latent(s, QUERY, heads * value)
        yield "attn_output.weight", (heads * value, hidden), Q8_0
        if indexed[number]:
            yield "indexer.k_norm.weight", (INDEX,), F32
            yield "indexer.k_norm.bias", (INDEX,), F32
            yield "indexer.proj.weight", (hidden, 32), Q8_0
            yield "indexer.attn_k.weight", (hidden, INDEX), Q8_0
            yield "indexer.attn_q_b.weight", (QUERY, 32 * INDEX), Q8_0
        if number == 0:
            yield from s.feed_forward(13312)
        else:
            yield from s.experts(192, 1536, bias="choice")
            yield from s.feed_forward(1536, "_shexp")

    made = model(
        "hunyuan-4", "hy_v4", s, layer, expert_count=192, expert_used_count=8,
        expert_feed_forward_length=1536, expert_shared_count=1, leading_dense_block_count=1,
        expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=13312, attention__kv_lora_rank=RANK, attention__q_lora_rank=QUERY,
        attention__value_length=RANK, attention__key_length_mla=192,
        attention__value_length_mla=value, rope__dimension_count=64,
        attention__indexer__head_count=32, attention__indexer__key_length=INDEX,
        attention__indexer__top_k=2048, attention__indexer__types=indexed,
        hyper_connection__count=4, hyper_connection__epsilon=1e-6,
        hyper_connection__magnitude=2.0,
    )  # fmt: skip
    made.tensors.append(("output_hc_fn.weight", (4 * hidden, 4), F32))
    made.tensors.append(("output_hc_base.weight", (4,), F32))
    made.tensors.append(("output_hc_scale.weight", (1,), F32))
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "glm-5.3-flash": glm53_flash,
    "hunyuan-4": hunyuan4,
}

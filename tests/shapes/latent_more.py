"""More models with latent attention: over rows that an indexer picks, or beside a recurrence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def deepseek_v32() -> Model:
    """DeepSeek-V3.2: latent attention over rows that an indexer picks in every layer."""
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
        yield "indexer.k_norm.weight", (128,), F32
        yield "indexer.k_norm.bias", (128,), F32
        yield "indexer.proj.weight", (7168, 64), Q8_0
        yield "indexer.attn_k.weight", (7168, 128), Q8_0
        yield "indexer.attn_q_b.weight", (1536, 64 * 128), Q8_0
        if number < 3:
            yield from s.feed_forward(18432)
        else:
            yield from s.experts(256, 2048, bias="choice")
            yield from s.feed_forward(2048, "_shexp")

    return model(
        "deepseek-v3.2", "deepseek32", s, layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=2048, expert_shared_count=1, leading_dense_block_count=3,
        expert_group_count=8, expert_group_used_count=4, expert_weights_scale=2.5,
        expert_weights_norm=True, expert_gating_func=2, feed_forward_length=18432,
        attention__q_lora_rank=1536, attention__kv_lora_rank=512, attention__key_length=576,
        attention__value_length=512, attention__key_length_mla=192,
        attention__value_length_mla=128, rope__dimension_count=64,
        attention__indexer__head_count=64, attention__indexer__key_length=128,
        attention__indexer__top_k=2048,
    )  # fmt: skip


def kimi_linear() -> Model:
    """Kimi-Linear 48B-A3B: three layers that keep a state, then one with latent attention."""
    s = Sizes(27, 2304, 32, 1, 576, 163840, 1048576)
    full = [number % 4 == 3 or number == 26 for number in range(27)]

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if full[number]:
            yield "attn_q.weight", (2304, 32 * 192), Q8_0
            yield "attn_kv_a_mqa.weight", (2304, 576), Q8_0
            yield "attn_kv_a_norm.weight", (512,), F32
            yield "attn_k_b.weight", (128, 512, 32), Q8_0
            yield "attn_v_b.weight", (512, 128, 32), Q8_0
        else:
            for part in "qkv":
                yield f"attn_{part}.weight", (2304, 4096), Q8_0
                yield f"ssm_conv1d_{part}.weight", (4, 1, 4096), F32
            for part in "fg":
                yield f"ssm_{part}_a.weight", (2304, 128), Q8_0
                yield f"ssm_{part}_b.weight", (128, 4096), Q8_0
            yield "ssm_beta.weight", (2304, 32), Q8_0
            yield "ssm_a", (1, 32), F32
            yield "ssm_dt.bias", (4096,), F32
            yield "ssm_norm.weight", (128,), F32
        yield "attn_output.weight", (4096, 2304), Q8_0
        if number == 0:
            yield from s.feed_forward(9216)
        else:
            yield from s.experts(256, 1024, Q8_0, bias="choice")
            yield from s.feed_forward(1024, "_shexp")

    return model(
        "kimi-linear-48b", "kimi-linear", s, layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=1024, expert_shared_count=1, leading_dense_block_count=1,
        expert_weights_scale=2.446, expert_gating_func=2, feed_forward_length=9216,
        attention__kv_lora_rank=512, attention__key_length=576, attention__value_length=512,
        attention__key_length_mla=192, attention__value_length_mla=128,
        rope__dimension_count=64, ssm__conv_kernel=4, kda__head_dim=128,
        attention__head_count_kv=[int(one) for one in full],
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "deepseek-v3.2": deepseek_v32,
    "kimi-linear-48b": kimi_linear,
}

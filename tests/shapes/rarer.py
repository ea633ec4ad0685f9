"""Models that are built as no others are, and some with q, k and v in one tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes import qwen, sliding, sparse
from tests.shapes.changed import joined_attention
from tests.shapes.parts import Model, Sizes, model
from tests.shapes.usual import usual
from tests.unit.gguf_files import F32, Q8_0, Tensor


def minimax_01() -> Model:
    """MiniMax-Text-01, a third of its 80 layers: every eighth has a cache."""
    s = Sizes(27, 6144, 64, 8, 128, 200064, 10240000)
    width = 64 * 128

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if number % 8 == 7:
            yield from s.attention()
        else:
            yield "attn_norm_2.weight", (width,), F32
            yield "attn_qkv.weight", (6144, 3 * width), Q8_0
            yield "attn_gate.weight", (6144, width), Q8_0
            yield "attn_output.weight", (width, 6144), Q8_0
        yield from s.experts(32, 9216)

    return model(
        "minimax-01", "minimax-01", s, layer, expert_count=32, expert_used_count=2,
        feed_forward_length=9216, residual_scale=3.5565588200778455, rope__dimension_count=64,
        full_attention_interval=8,
    )  # fmt: skip


def talkie() -> Model:
    """Talkie 13B: no norm but that of q has weights."""
    s = Sizes(40, 5120, 40, 40, 128, 65536, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.attention()
        yield "attn_q_norm.weight", (1, 40), F32
        yield from s.feed_forward(13696)
        yield "layer_output_scale.weight", (1,), F32

    made = model("talkie-13b", "talkie", s, layer, feed_forward_length=13696, logit_scale=0.1)
    made.tensors[:] = [one for one in made.tensors if one[0] != "output_norm.weight"]
    return made


def nanbeige(loops: int, skips: bool) -> Model:
    """Nanbeige with its layers run so often, and a norm between the runs unless it `skips` that."""
    made = usual("nanbeige", "nanbeige", Sizes(22, 2560, 20, 4, 128, 166144, 262144), 10496)
    made.keys.update({"num_loops": loops, "skip_loop_final_norm": skips})
    return made


def dots3() -> Model:
    """dots3note, half of its 46 layers: latent rows in windows, full ones with an indexer."""
    s = Sizes(23, 4096, 64, 1, 576, 152064, 131072)
    full = [number % 4 == 3 for number in range(23)]

    def layer(number: int) -> Iterator[Tensor]:
        rank, head_k, head_v = (512, 192, 128) if full[number] else (256, 128, 64)
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q_a.weight", (4096, 1536), Q8_0
        yield "attn_q_a_norm.weight", (1536,), F32
        yield "attn_q_b.weight", (1536, 64 * head_k), Q8_0
        yield "attn_kv_a_mqa.weight", (4096, rank + 64), Q8_0
        yield "attn_kv_a_norm.weight", (rank,), F32
        yield "attn_k_norm.weight", (64,), F32
        yield "attn_k_b.weight", (head_k - 64, rank, 64), Q8_0
        yield "attn_v_b.weight", (rank, head_v, 64), Q8_0
        yield "attn_output.weight", (64 * head_v, 4096), Q8_0
        yield "attn_gate.weight", (4096, 64), Q8_0
        if full[number]:
            yield "indexer.k_norm.weight", (128,), F32
            yield "indexer.k_norm.bias", (128,), F32
            yield "indexer.proj.weight", (4096, 32), Q8_0
            yield "indexer.attn_k.weight", (4096, 128), Q8_0
            yield "indexer.attn_q_b.weight", (1536, 32 * 128), Q8_0
        if number < 1:
            yield from s.feed_forward(12288)
        else:
            yield from s.experts(192, 1536, bias="choice")
            yield from s.feed_forward(1536, "_shexp")

    return model(
        "dots3-note", "dots3note", s, layer, expert_count=192, expert_used_count=8,
        expert_feed_forward_length=1536, expert_shared_count=1, leading_dense_block_count=1,
        expert_weights_scale=2.5, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=12288, attention__q_lora_rank=1536, attention__kv_lora_rank=512,
        attention__key_length=576, attention__value_length=512, attention__key_length_mla=192,
        attention__value_length_mla=128, attention__kv_lora_rank_swa=256,
        attention__key_length_swa=320, attention__value_length_swa=256,
        attention__key_length_mla_swa=128, attention__value_length_mla_swa=64,
        attention__sliding_window=512, rope__freq_base_swa=1e4, rope__dimension_count=64,
        attention__sliding_window_pattern=[not one for one in full],
        attention__indexer__head_count=32, attention__indexer__key_length=128,
        attention__indexer__top_k=2048, attention__indexer__types=full,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "dots3-note": dots3,
    "minimax-01": minimax_01,
    "talkie-13b": talkie,
    "glm-4.6-joined": lambda: joined_attention(sparse.glm46()),
    "qwen3.5-27b-joined": lambda: joined_attention(qwen.qwen35_27b()),
    "step-3.5-joined": lambda: joined_attention(sliding.step35()),
    "nanbeige-twice": lambda: nanbeige(2, False),
    "nanbeige-thrice": lambda: nanbeige(3, True),
}

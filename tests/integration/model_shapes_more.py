"""More models' real shapes: other architectures, and other members of families."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.integration.model_shapes import Model, Sizes, model
from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor


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


def gemma2() -> Model:
    """Gemma 2 27B."""
    s = Sizes(46, 4608, 32, 16, 128, 256000, 8192)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.attention()
        yield from s.feed_forward(36864)

    return model(
        "gemma-2-27b", "gemma2", s, layer, output=False, attention__sliding_window=4096,
        feed_forward_length=36864, attn_logit_softcapping=50.0, final_logit_softcapping=30.0,
    )  # fmt: skip


def gemma4(
    name: str, layers: int, hidden: int, heads: int, kv: tuple[int, int], width: int,
    experts: int = 0, period: int = 6, per_layer: int = 0, shared: int = 0, window: int = 1024,
) -> Model:  # fmt: skip
    """Gemma 4: heads of 512 in full layers, of 256 in sliding ones; some with experts."""
    s = Sizes(layers, hidden, heads, kv[0], 512, 262144, 262144)
    slides = [number % period != period - 1 for number in range(layers)]

    def layer(number: int) -> Iterator[Tensor]:
        head, heads_kv = (256, kv[0]) if slides[number] else (512, kv[1])
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield "attn_q.weight", (hidden, heads * head), Q8_0
        yield "attn_k.weight", (hidden, heads_kv * head), Q8_0
        if slides[number] or per_layer:
            yield "attn_v.weight", (hidden, heads_kv * head), Q8_0
        yield "attn_output.weight", (heads * head, hidden), Q8_0
        yield "attn_q_norm.weight", (head,), F32
        yield "attn_k_norm.weight", (head,), F32
        yield "layer_output_scale.weight", (1,), F32
        yield from s.feed_forward(width)
        if experts:
            yield from s.norms("pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2")
            yield "ffn_gate_inp.weight", (hidden, experts), F32
            yield "ffn_gate_inp.scale", (hidden,), F32
            yield "ffn_gate_up_exps.weight", (hidden, 1408, experts), Q8_0
            yield "ffn_down_exps.weight", (704, hidden, experts), Q8_0
            yield "ffn_down_exps.scale", (experts,), F32
        if per_layer:
            yield "inp_gate.weight", (hidden, per_layer), Q8_0
            yield "proj.weight", (per_layer, hidden), Q8_0
            yield from s.norms("post_norm")

    more: dict[str, Any] = {
        "expert_count": experts,
        "expert_used_count": 8,
        "expert_feed_forward_length": 704,
    }
    made = model(
        name, "gemma4", s, layer, output=False, attention__sliding_window=window,
        attention__sliding_window_pattern=slides, attention__key_length_swa=256,
        attention__value_length_swa=256, embedding_length_per_layer_input=per_layer,
        attention__head_count_kv=[kv[0] if one else kv[1] for one in slides],
        feed_forward_length=width, rope__dimension_count=512, rope__dimension_count_swa=256,
        attention__shared_kv_layers=shared, final_logit_softcapping=30.0,
        **(more if experts else {}),
    )  # fmt: skip
    made.tensors.append(("rope_freqs.weight", (256,), F32))
    if per_layer:
        made.tensors.append(("per_layer_token_embd.weight", (per_layer * layers, 262144), Q8_0))
        made.tensors.append(("per_layer_model_proj.weight", (hidden, per_layer * layers), Q8_0))
        made.tensors.append(("per_layer_proj_norm.weight", (per_layer,), F32))
    return made


def cohere2() -> Model:
    """Command R7B."""
    s = Sizes(32, 4096, 32, 8, 128, 256000)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from s.attention()
        yield from s.feed_forward(14336)

    return model(
        "command-r7b", "cohere2", s, layer, output=False, logit_scale=0.25,
        attention__sliding_window=4096, feed_forward_length=14336,
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


def maverick() -> Model:
    """Llama 4 Maverick: experts in every second layer."""
    s = Sizes(48, 5120, 40, 8, 128, 202048, 1048576)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        if number % 2:
            yield from s.experts(128, 8192)
            yield from s.feed_forward(8192, "_shexp")
        else:
            yield from s.feed_forward(16384)

    return model(
        "llama-4-maverick", "llama4", s, layer, expert_count=128, expert_used_count=1,
        expert_feed_forward_length=8192, interleave_moe_layer_step=2, feed_forward_length=16384,
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


def granite() -> Model:
    """Granite 3.3 8B."""
    s = Sizes(40, 4096, 32, 8, 128, 49159)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(12800)

    return model(
        "granite-3.3-8b", "granite", s, layer, output=False, feed_forward_length=12800,
        embedding_scale=12.0, residual_scale=0.22, logit_scale=16.0, attention__scale=0.0078125,
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


def exaone4() -> Model:
    """EXAONE 4.0 32B: norms after each part."""
    s = Sizes(64, 5120, 40, 8, 128, 102400)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("post_attention_norm", "post_ffw_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.feed_forward(27392)

    return model(
        "exaone-4.0-32b", "exaone4", s, layer, attention__sliding_window=4096,
        feed_forward_length=27392, attention__sliding_window_pattern=4,
    )  # fmt: skip


def olmo2() -> Model:
    """OLMo 2 32B."""
    s = Sizes(64, 5120, 40, 8, 128, 100352)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("post_attention_norm", "post_ffw_norm")
        yield from s.attention()
        yield "attn_q_norm.weight", (5120,), F32
        yield "attn_k_norm.weight", (1024,), F32
        yield from s.feed_forward(27648)

    return model("olmo-2-32b", "olmo2", s, layer, feed_forward_length=27648)


def smollm3() -> Model:
    """SmolLM3 3B."""
    s = Sizes(36, 2048, 16, 4, 128, 128256)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(11008)

    return model("smollm3-3b", "smollm3", s, layer, output=False, feed_forward_length=11008)


def step35() -> Model:
    """Step 3.5 Flash: more heads where attention slides, a gate per head."""
    s = Sizes(45, 4096, 64, 8, 128, 128896, 262144)
    slides = [number % 4 != 0 for number in range(45)]

    def layer(number: int) -> Iterator[Tensor]:
        heads = 96 if slides[number] else 64
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q.weight", (4096, heads * 128), Q8_0
        yield "attn_k.weight", (4096, 1024), Q8_0
        yield "attn_v.weight", (4096, 1024), Q8_0
        yield "attn_output.weight", (heads * 128, 4096), Q8_0
        yield "attn_gate.weight", (4096, heads), Q8_0
        yield from s.head_norms()
        if number < 3:
            yield from s.feed_forward(11264)
        else:
            yield from s.experts(288, 1280, bias="choice")
            yield from s.feed_forward(1280, "_shexp")

    return model(
        "step-3.5-flash", "step35", s, layer, expert_count=288, expert_used_count=8,
        attention__head_count=[96 if one else 64 for one in slides],
        attention__head_count_kv=[8] * 45, expert_feed_forward_length=1280,
        expert_shared_feed_forward_length=1280, expert_weights_scale=3.0,
        expert_weights_norm=True, expert_gating_func=2, feed_forward_length=11264,
        attention__sliding_window=512, attention__sliding_window_pattern=slides,
        leading_dense_block_count=3, rope__dimension_count=64, rope__dimension_count_swa=128,
        rope__freq_base_swa=10000.0,
    )  # fmt: skip


def mimo2() -> Model:
    """MiMo-V2-Flash: five sliding layers between full ones."""
    full = {0, 5, 11, 17, 23, 29, 35, 41, 47}
    s = Sizes(48, 4096, 64, 4, 192, 152576, 262144)

    def layer(number: int) -> Iterator[Tensor]:
        kv = 4 if number in full else 8
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q.weight", (4096, 64 * 192), Q8_0
        yield "attn_k.weight", (4096, kv * 192), Q8_0
        yield "attn_v.weight", (4096, kv * 128), Q8_0
        yield "attn_output.weight", (64 * 128, 4096), Q8_0
        if number not in full:
            yield "attn_sinks.weight", (64,), F32
        if number == 0:
            yield from s.feed_forward(16384)
        else:
            yield from s.experts(256, 2048, bias="choice")

    return model(
        "mimo-v2-flash", "mimo2", s, layer, expert_count=256, expert_used_count=8,
        attention__head_count_kv=[4 if n in full else 8 for n in range(48)],
        attention__value_length=128, attention__sliding_window=128,
        attention__sliding_window_pattern=[n not in full for n in range(48)],
        expert_feed_forward_length=2048, feed_forward_length=16384, rope__dimension_count=64,
        rope__freq_base_swa=10000.0, expert_gating_func=2,
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


def falcon_h1() -> Model:
    """Falcon-H1 34B: attention and Mamba-2 beside each other in every layer."""
    s = Sizes(72, 5120, 20, 4, 128, 261120, 262144)
    inner, state, groups, heads = 10240, 256, 2, 32
    channels = inner + 2 * groups * state

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield "ffn_norm", (5120,), F32
        yield from s.attention()
        yield "ssm_in.weight", (5120, inner + channels + heads), Q8_0
        yield "ssm_conv1d.weight", (4, channels), F32
        yield "ssm_conv1d.bias", (channels,), F32
        yield "ssm_dt.bias", (heads,), F32
        yield "ssm_a", (1, heads), F32
        yield "ssm_d", (1, heads), F32
        yield "ssm_norm.weight", (inner // groups, groups), F32
        yield "ssm_out.weight", (inner, 5120), Q8_0
        yield from s.feed_forward(21504)

    return model(
        "falcon-h1-34b", "falcon-h1", s, layer, feed_forward_length=21504,
        ssm__conv_kernel=4, ssm__inner_size=inner, ssm__state_size=state,
        ssm__group_count=groups, ssm__time_step_rank=heads,
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


MORE: dict[str, Callable[[], Model]] = {
    "qwen3.5-27b": qwen35_27b,
    "glm-4.6": glm46,
    "gemma-2-27b": gemma2,
    "gemma-4-26b": lambda: gemma4("gemma-4-26b", 30, 2816, 16, (8, 2), 2112, 128),
    "gemma-4-31b": lambda: gemma4("gemma-4-31b", 60, 5376, 32, (16, 4), 21504),
    "gemma-4-e4b": lambda: gemma4(
        "gemma-4-e4b", 42, 2560, 8, (2, 2), 10240, per_layer=256, shared=18, window=512
    ),
    "command-r7b": cohere2,
    "ernie-4.5-300b": ernie,
    "hunyuan-a13b": hunyuan,
    "llama-4-maverick": maverick,
    "deepseek-v2-lite": lambda: latent("deepseek-v2-lite", 27, 2048, 16, 1, 10944, 64, 6, 1408, 2),
    "kimi-k2": lambda: latent("kimi-k2", 61, 7168, 64, 1, 18432, 384, 8, 2048, 1, 1536),
    "qwen2-57b-a14b": qwen2_moe,
    "granite-3.3-8b": granite,
    "lfm2-8b-a1b": lfm2,
    "exaone-4.0-32b": exaone4,
    "olmo-2-32b": olmo2,
    "smollm3-3b": smollm3,
    "step-3.5-flash": step35,
    "mimo-v2-flash": mimo2,
    "phi-3.5-moe": phi_moe,
    "falcon-h1-34b": falcon_h1,
    "glm-5": glm_dsa,
}

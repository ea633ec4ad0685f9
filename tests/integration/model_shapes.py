"""Models' real shapes as metadata and tensor lists, from their public configurations.

Weights are Q8_0, experts Q4_K or MXFP4, norms and routers F32; names are llama.cpp's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gguf import GGMLQuantizationType

from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor

MXFP4 = GGMLQuantizationType.MXFP4
I32 = GGMLQuantizationType.I32


@dataclass(frozen=True)
class Model:
    """One model; `keys` are the architecture's own unless they begin with `=`."""

    name: str
    architecture: str
    keys: dict[str, Any]
    tensors: list[Tensor]


@dataclass(frozen=True)
class Sizes:
    """What most models have."""

    layers: int
    hidden: int
    heads: int
    heads_kv: int
    head: int
    vocabulary: int
    context: int = 131072

    @property
    def keys(self) -> dict[str, Any]:
        """The metadata that say so."""
        return {
            "block_count": self.layers,
            "context_length": self.context,
            "embedding_length": self.hidden,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.heads_kv,
            "attention.key_length": self.head,
            "attention.value_length": self.head,
            "attention.layer_norm_rms_epsilon": 1e-6,
            "attention.layer_norm_epsilon": 1e-5,
            "rope.dimension_count": self.head,
            "rope.freq_base": 1e6,
            "vocab_size": self.vocabulary,
            "feed_forward_length": 4 * self.hidden,
            "=tokenizer.ggml.model": "no_vocab",
        }

    def outside(self, output: bool = True) -> list[Tensor]:
        """Embeddings, last norm and output."""
        made: list[Tensor] = [
            ("token_embd.weight", (self.hidden, self.vocabulary), Q8_0),
            ("output_norm.weight", (self.hidden,), F32),
        ]
        return [*made, ("output.weight", (self.hidden, self.vocabulary), Q8_0)] if output else made

    def attention(self, biases: str = "", query: int = 1) -> Iterator[Tensor]:
        """q, k, v and o with biases where named; `query` times the width of the query."""
        q, kv = self.heads * self.head, self.heads_kv * self.head
        for name, width in (("q", q * query), ("k", kv), ("v", kv)):
            yield f"attn_{name}.weight", (self.hidden, width), Q8_0
            if name in biases:
                yield f"attn_{name}.bias", (width,), F32
        yield "attn_output.weight", (q, self.hidden), Q8_0
        if "o" in biases:
            yield "attn_output.bias", (self.hidden,), F32

    def norms(self, *names: str) -> Iterator[Tensor]:
        """Norms over the hidden size."""
        for name in names:
            yield f"{name}.weight", (self.hidden,), F32

    def head_norms(self) -> Iterator[Tensor]:
        """Norms of q and k within a head."""
        yield "attn_q_norm.weight", (self.head,), F32
        yield "attn_k_norm.weight", (self.head,), F32

    def feed_forward(self, width: int, suffix: str = "") -> Iterator[Tensor]:
        """A gated feed-forward part."""
        yield f"ffn_gate{suffix}.weight", (self.hidden, width), Q8_0
        yield f"ffn_up{suffix}.weight", (self.hidden, width), Q8_0
        yield f"ffn_down{suffix}.weight", (width, self.hidden), Q8_0

    def experts(self, count: int, width: int, kind: Any = Q4_K, bias: str = "") -> Iterator[Tensor]:
        """Routed experts with their router; `bias` is "choice" or "all"."""
        yield "ffn_gate_inp.weight", (self.hidden, count), F32
        yield "ffn_gate_exps.weight", (self.hidden, width, count), kind
        yield "ffn_up_exps.weight", (self.hidden, width, count), kind
        yield "ffn_down_exps.weight", (width, self.hidden, count), kind
        if bias == "choice":
            yield "exp_probs_b.bias", (count,), F32
        if bias == "all":
            yield "ffn_gate_inp.bias", (count,), F32
            yield "ffn_gate_exps.bias", (width, count), F32
            yield "ffn_up_exps.bias", (width, count), F32
            yield "ffn_down_exps.bias", (self.hidden, count), F32


def model(
    name: str,
    architecture: str,
    sizes: Sizes,
    layer: Callable[[int], Iterator[Tensor]],
    output: bool = True,
    blocks: int | None = None,
    **keys: Any,
) -> Model:
    """A model of these layers; keys with `__` for dots."""
    tensors = list(sizes.outside(output))
    for number in range(blocks or sizes.layers):
        tensors += [(f"blk.{number}.{n}", dims, kind) for n, dims, kind in layer(number)]
    named = {key.replace("__", "."): value for key, value in keys.items()}
    return Model(name, architecture, {**sizes.keys, **named}, tensors)


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


def llama(
    name: str, layers: int, hidden: int, heads: int, width: int, vocabulary: int = 128256
) -> Model:
    """Llama 3 and its like."""
    s = Sizes(layers, hidden, heads, 8, hidden // heads, vocabulary)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(width)

    return model(name, "llama", s, layer, feed_forward_length=width)


def mixtral() -> Model:
    """Mixtral 8x7B."""
    s = Sizes(32, 4096, 32, 8, 128, 32000, 32768)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.experts(8, 14336)

    return model(
        "mixtral-8x7b", "llama", s, layer, expert_count=8, expert_used_count=2,
        feed_forward_length=14336,
    )  # fmt: skip


def gemma3() -> Model:
    """Gemma 3 27B."""
    s = Sizes(62, 5376, 32, 16, 128, 262144)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.feed_forward(21504)

    return model(
        "gemma-3-27b", "gemma3", s, layer, output=False, attention__sliding_window=1024,
        feed_forward_length=21504,
    )  # fmt: skip


def llama4() -> Model:
    """Llama 4 Scout: a shared expert, every fourth layer without rope and with the whole view."""
    s = Sizes(48, 5120, 40, 8, 128, 202048, 10485760)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.experts(16, 8192)
        yield from s.feed_forward(8192, "_shexp")

    return model(
        "llama-4-scout", "llama4", s, layer, expert_count=16, expert_used_count=1,
        expert_feed_forward_length=8192, interleave_moe_layer_step=1, feed_forward_length=16384,
    )  # fmt: skip


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


def granite_hybrid() -> Model:
    """Granite 4 H-Small: Mamba-2 with four layers of attention, experts in all."""
    s = Sizes(40, 4096, 32, 8, 128, 100352)
    attends = (5, 15, 25, 35)
    inner, state, groups, heads = 8192, 128, 1, 128
    channels = inner + 2 * groups * state

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if number in attends:
            yield from s.attention()
        else:
            yield "ssm_in.weight", (4096, inner + channels + heads), Q8_0
            yield "ssm_conv1d.weight", (4, channels), F32
            yield "ssm_conv1d.bias", (channels,), F32
            yield "ssm_dt.bias", (heads,), F32
            yield "ssm_a", (1, heads), F32
            yield "ssm_d", (1, heads), F32
            yield "ssm_norm.weight", (inner // groups, groups), F32
            yield "ssm_out.weight", (inner, 4096), Q8_0
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
    channels = inner + 2 * groups * state

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        if pattern[number] == "M":
            yield "ssm_in.weight", (2688, inner + channels + heads), Q8_0
            yield "ssm_conv1d.weight", (4, channels), F32
            yield "ssm_conv1d.bias", (channels,), F32
            yield "ssm_dt.bias", (heads,), F32
            yield "ssm_a", (1, heads), F32
            yield "ssm_d", (1, heads), F32
            yield "ssm_norm.weight", (inner // groups, groups), F32
            yield "ssm_out.weight", (inner, 2688), Q8_0
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


def phi4() -> Model:
    """Phi-4 14B: one projection for q, k and v, and one for both halves of the feed-forward."""
    s = Sizes(40, 5120, 40, 10, 128, 100352, 16384)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_qkv.weight", (5120, 5120 + 2 * 1280), Q8_0
        yield "attn_output.weight", (5120, 5120), Q8_0
        yield "ffn_up.weight", (5120, 2 * 17920), Q8_0
        yield "ffn_down.weight", (17920, 5120), Q8_0

    return model(
        "phi-4", "phi3", s, layer, feed_forward_length=17920, attention__sliding_window=0,
        rope__scaling__original_context_length=16384,
    )  # fmt: skip


def command_r() -> Model:
    """Command R 35B: attention and feed-forward beside each other."""
    s = Sizes(40, 8192, 64, 64, 128, 256000)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from s.attention()
        yield from s.feed_forward(22528)

    return model(
        "command-r", "command-r", s, layer, output=False, logit_scale=0.0625,
        feed_forward_length=22528,
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
    "qwen3.5-122b-a10b": qwen35_122b,
    "minimax-m2.7": minimax_m2,
    "deepseek-v4-flash": deepseek_v4_flash,
    "qwen3.5-35b-a3b": qwen35_35b,
    "gpt-oss-120b": lambda: gpt_oss("gpt-oss-120b", 36, 128),
    "gpt-oss-20b": lambda: gpt_oss("gpt-oss-20b", 24, 32),
    "glm-4.5-air": glm45_air,
    "qwen3-235b": lambda: qwen3_moe("qwen3-235b", 94, 4096, 64, 1536),
    "qwen3-30b": lambda: qwen3_moe("qwen3-30b", 48, 2048, 32, 768),
    "qwen3-next-80b": qwen3_next,
    "llama-3.3-70b": lambda: llama("llama-3.3-70b", 80, 8192, 64, 28672),
    "mixtral-8x7b": mixtral,
    "gemma-3-27b": gemma3,
    "llama-4-scout": llama4,
    "deepseek-v3": deepseek_v3,
    "granite-4-h-small": granite_hybrid,
    "nemotron-3-nano": nemotron_h,
    "phi-4": phi4,
    "command-r": command_r,
    "qwen3-32b": qwen3_dense,
}

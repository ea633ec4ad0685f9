"""Models with experts, each with a turn of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor


def routed(
    name: str, architecture: str, s: Sizes, experts: int, used: int, width: int, *,
    shared: int = 0, dense: int = 0, dense_width: int = 0, heads: bool = False, kind: Any = Q4_K,
    bias: str = "", **keys: Any,
) -> Model:  # fmt: skip
    """Attention and experts; `dense` layers first, `shared` the width of the shared expert."""

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        if heads:
            yield from s.head_norms()
        if number < dense:
            yield from s.feed_forward(dense_width)
            return
        yield from s.experts(experts, width, kind, bias)
        if shared:
            yield from s.feed_forward(shared, "_shexp")

    keys = {
        "feed_forward_length": dense_width or width, "expert_feed_forward_length": width,
        "expert_count": experts, "expert_used_count": used, **keys,
    }  # fmt: skip
    if dense:
        keys["leading_dense_block_count"] = dense
    return model(name, architecture, s, layer, **keys)


def deepseek_moe() -> Model:
    """DeepSeek-MoE 16B, the first one."""
    return routed("deepseek-moe-16b", "deepseek", Sizes(28, 2048, 16, 16, 128, 102400, 4096),
                  64, 6, 1408, shared=2816, dense=1, dense_width=10944, kind=Q8_0,
                  expert_shared_count=2, expert_weights_scale=1.0)  # fmt: skip


def deepseek_ocr() -> Model:
    """DeepSeek-OCR's language model."""
    return routed("deepseek-ocr", "deepseek2-ocr", Sizes(12, 1280, 10, 10, 128, 129280, 8192),
                  64, 6, 896, shared=1792, dense=1, dense_width=6848, kind=Q8_0,
                  expert_shared_count=2, expert_weights_scale=1.0,
                  rope__freq_base=10000.0)  # fmt: skip


def ling_lite() -> Model:
    """Ling-lite 1.5."""
    return routed("ling-lite", "bailingmoe", Sizes(28, 2048, 16, 4, 128, 126464, 32768),
                  64, 6, 1408, shared=2816, kind=Q8_0, expert_shared_count=2,
                  expert_weights_norm=True)  # fmt: skip


def llada_moe() -> Model:
    """LLaDA-MoE 7B-A1B."""
    return routed("llada-moe", "llada-moe", Sizes(16, 2048, 16, 16, 128, 157184, 8192),
                  64, 8, 1024, heads=True)  # fmt: skip


def hy3() -> Model:
    """Hy3 295B: a drafting block last, of which the feed-forward part is loaded."""
    made = routed("hy3-295b", "hy_v3", Sizes(81, 4096, 64, 8, 128, 120832, 262144),
                  192, 8, 1536, shared=1536, dense=1, dense_width=13312, heads=True, bias="choice",
                  expert_shared_feed_forward_length=1536, expert_weights_scale=2.826,
                  expert_weights_norm=True, expert_gating_func=2,
                  nextn_predict_layers=1)  # fmt: skip
    made.tensors.append(("blk.80.nextn.eh_proj.weight", (2 * 4096, 4096), Q8_0))
    for name in ("enorm", "hnorm"):
        made.tensors.append((f"blk.80.nextn.{name}.weight", (4096,), F32))
    made.tensors[:] = [
        (name.replace("exp_probs_b.bias", "exp_probs_b"), dims, kind)
        for name, dims, kind in made.tensors
    ]
    return made


def mellum2() -> Model:
    """Mellum 2: three of four layers slide."""
    return routed("mellum2", "mellum", Sizes(28, 2304, 32, 4, 128, 98304, 131072),
                  64, 8, 896, heads=True, kind=Q8_0, attention__sliding_window=1024)  # fmt: skip


def smallthinker() -> Model:
    """SmallThinker 21B: experts are chosen before attention."""
    return routed("smallthinker-21b", "smallthinker", Sizes(52, 2560, 28, 4, 128, 151936, 16384),
                  64, 6, 768, expert_gating_func=2, attention__sliding_window=4096)  # fmt: skip


def laguna() -> Model:
    """Laguna XS.2: more heads where attention slides, each with a gate."""
    heads = [48 if number % 4 == 0 else 64 for number in range(40)]
    sizes = {count: Sizes(40, 2048, count, 8, 128, 100352, 131072) for count in (48, 64)}

    def layer(number: int) -> Iterator[Tensor]:
        s = sizes[heads[number]]
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield "attn_gate.weight", (2048, heads[number]), Q8_0
        if number == 0:
            yield from s.feed_forward(8192)
        else:
            yield from s.experts(256, 512, bias="choice")
            yield from s.feed_forward(512, "_shexp")

    return model(
        "laguna-xs", "laguna", sizes[48], layer, expert_count=256, expert_used_count=8,
        expert_feed_forward_length=512, leading_dense_block_count=1, expert_gating_func=2,
        expert_weights_norm=True, expert_weights_scale=2.5, feed_forward_length=8192,
        attention__sliding_window=512, attention__head_count=heads,
        rope__dimension_count=64, rope__dimension_count_swa=128,
    )  # fmt: skip


def arctic() -> Model:
    """Snowflake Arctic: experts beside a dense part, both in every layer."""
    s = Sizes(35, 7168, 56, 8, 128, 32000, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm", "ffn_norm_exps")
        yield from s.attention()
        yield from s.feed_forward(7168)
        yield from s.experts(128, 4864)

    return model("arctic", "arctic", s, layer, expert_count=128, expert_used_count=2,
                 feed_forward_length=4864)  # fmt: skip


def dbrx() -> Model:
    """DBRX: what is projected is clamped."""
    s = Sizes(40, 6144, 48, 8, 128, 100352, 32768)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "attn_output_norm")
        yield "attn_qkv.weight", (6144, 6144 + 2 * 1024), Q8_0
        yield "attn_output.weight", (6144, 6144), Q8_0
        yield from s.experts(16, 10752)

    return model("dbrx", "dbrx", s, layer, expert_count=16, expert_used_count=4,
                 feed_forward_length=10752, attention__clamp_kqv=8.0)  # fmt: skip


def grok(name: str, hidden: int, heads: int, width: int, beside: bool) -> Model:
    """Grok: norms after each part; the second has a dense part beside the experts."""
    s = Sizes(64, hidden, heads, 8, 128, 131072, 131072)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "attn_output_norm", "ffn_norm", "layer_output_norm")
        yield from s.attention()
        if beside:
            yield from s.feed_forward(32768)
        yield from s.experts(8, width)

    return model(name, "grok", s, layer, expert_count=8, expert_used_count=2,
                 feed_forward_length=32768, expert_feed_forward_length=width)  # fmt: skip


def grove() -> Model:
    """GroveMoE: further experts over what the first made."""
    s = Sizes(48, 2048, 32, 4, 128, 151936, 40960)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.experts(128, 768)
        yield "ffn_gate_chexps.weight", (2048, 128, 64), Q8_0
        yield "ffn_up_chexps.weight", (2048, 128, 64), Q8_0
        yield "ffn_down_chexps.weight", (128, 2048, 64), Q8_0

    return model("grovemoe-33b", "grovemoe", s, layer, expert_count=128, expert_used_count=8,
                 feed_forward_length=6144, expert_feed_forward_length=768,
                 expert_chunk_feed_forward_length=128, expert_group_scale=0.05,
                 experts_per_group=2)  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "deepseek-moe-16b": deepseek_moe,
    "deepseek-ocr": deepseek_ocr,
    "ling-lite": ling_lite,
    "llada-moe": llada_moe,
    "rnd1-30b": lambda: routed(
        "rnd1-30b", "rnd1", Sizes(48, 2048, 32, 4, 128, 151936, 32768), 128, 8, 768, heads=True
    ),
    "hy3-295b": hy3,
    "mellum2": mellum2,
    "smallthinker-21b": smallthinker,
    "laguna-xs": laguna,
    "arctic": arctic,
    "dbrx": dbrx,
    "grok-1": lambda: grok("grok-1", 6144, 48, 32768, False),
    "grok-2": lambda: grok("grok-2", 8192, 64, 16384, True),
    "grovemoe-33b": grove,
}

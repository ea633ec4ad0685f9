"""Architectures that are built as others are, in the sizes of models that have their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.hybrid import lfm2 as lfm2_moe
from tests.shapes.parts import Model, Sizes, model
from tests.shapes.usual import usual
from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor


def qwen25_72b() -> Model:
    """Qwen2.5 72B."""
    s = Sizes(80, 8192, 64, 8, 128, 152064, 131072)
    return usual("qwen2.5-72b", "qwen2", s, 29568, biases="qkv")


def ministral3() -> Model:
    """Ministral 3 14B: queries are scaled by position."""
    s = Sizes(40, 5120, 32, 8, 128, 131072, 262144)
    return usual("ministral-3-14b", "mistral3", s, 16384, attention__temperature_scale=0.1,
                 rope__scaling__type="yarn", rope__scaling__factor=16.0,
                 rope__scaling__original_context_length=16384)  # fmt: skip


def mistral4() -> Model:
    """Mistral Small 4: latent attention as DeepSeek's, experts in every layer."""
    s = Sizes(36, 4096, 32, 1, 320, 131072, 262144)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q_a.weight", (4096, 1024), Q8_0
        yield "attn_q_a_norm.weight", (1024,), F32
        yield "attn_q_b.weight", (1024, 32 * 128), Q8_0
        yield "attn_kv_a_mqa.weight", (4096, 320), Q8_0
        yield "attn_kv_a_norm.weight", (256,), F32
        yield "attn_k_b.weight", (64, 256, 32), Q8_0
        yield "attn_v_b.weight", (256, 128, 32), Q8_0
        yield "attn_output.weight", (32 * 128, 4096), Q8_0
        yield from s.experts(128, 2048, Q4_K)
        yield from s.feed_forward(2048, "_shexp")

    return model(
        "mistral-small-4", "mistral4", s, layer, expert_count=128, expert_used_count=4,
        expert_feed_forward_length=2048, expert_shared_count=1, leading_dense_block_count=0,
        expert_weights_scale=1.0, expert_weights_norm=True, expert_gating_func=1,
        feed_forward_length=12288, attention__q_lora_rank=1024, attention__kv_lora_rank=256,
        attention__key_length=320, attention__value_length=256, attention__key_length_mla=128,
        attention__value_length_mla=128, rope__dimension_count=64,
        attention__temperature_scale=0.1, rope__scaling__type="yarn",
        rope__scaling__factor=128.0, rope__scaling__original_context_length=8192,
    )  # fmt: skip


def ernie() -> Model:
    """ERNIE 4.5 0.3B."""
    return usual("ernie-4.5-0.3b", "ernie4_5", Sizes(18, 1024, 16, 2, 128, 103424), 3072,
                 output=False)  # fmt: skip


def paddle_ocr() -> Model:
    """PaddleOCR-VL: ERNIE's layers, three numbers to a position."""
    return usual("paddleocr-vl", "paddleocr", Sizes(18, 1024, 16, 2, 128, 103424), 3072,
                 rope__dimension_sections=[16, 24, 24, 0])  # fmt: skip


def pangu() -> Model:
    """openPangu Embedded 7B: biases wherever attention projects."""
    s = Sizes(34, 4096, 32, 8, 128, 153376, 32768)
    return usual("pangu-embedded-7b", "pangu-embedded", s, 12800, biases="qkvo")


def maincoder() -> Model:
    """Maincoder 1B."""
    return usual("maincoder-1b", "maincoder", Sizes(32, 1536, 16, 4, 96, 151936, 2048), 4096,
                 heads=True, output=False)  # fmt: skip


def granite_moe() -> Model:
    """Granite 3.1 3B-A800M."""
    s = Sizes(32, 1536, 24, 8, 64, 49155)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.experts(40, 512)

    return model(
        "granite-3.1-3b-a800m", "granitemoe", s, layer, output=False, expert_count=40,
        expert_used_count=8, feed_forward_length=512, embedding_scale=12.0, residual_scale=0.22,
        logit_scale=6.0, attention__scale=0.015625,
    )  # fmt: skip


def jais2() -> Model:
    """Jais 2 8B: norms that subtract the mean, biases everywhere, no gates."""
    s = Sizes(32, 3328, 26, 26, 128, 150272, 8192)

    def layer(_: int) -> Iterator[Tensor]:
        for name in ("attn_norm", "ffn_norm"):
            yield f"{name}.weight", (3328,), F32
            yield f"{name}.bias", (3328,), F32
        yield from s.attention("qkvo")
        yield "ffn_up.weight", (3328, 26624), Q8_0
        yield "ffn_up.bias", (26624,), F32
        yield "ffn_down.weight", (26624, 3328), Q8_0
        yield "ffn_down.bias", (3328,), F32

    made = model("jais-2-8b", "jais2", s, layer, feed_forward_length=26624)
    made.tensors.append(("output_norm.bias", (3328,), F32))
    return made


def lfm2() -> Model:
    """LFM2 2.6B: as LFM2-8B-A1B, without experts."""
    attends = (2, 5, 8, 11, 14, 17, 20, 23, 26, 29)
    s = Sizes(30, 2048, 32, 8, 64, 65536, 128000)
    kinds = {name.split(".", 2)[2]: (dims, kind) for name, dims, kind in lfm2_moe().tensors
             if name.startswith("blk.0.") and "shortconv" in name}  # fmt: skip

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if number in attends:
            yield from s.attention()
            yield from s.head_norms()
        else:
            yield from ((name, dims, kind) for name, (dims, kind) in kinds.items())
        yield from s.feed_forward(10752)

    made = model(
        "lfm2-2.6b", "lfm2", s, layer, output=False, feed_forward_length=10752,
        attention__head_count_kv=[8 if n in attends else 0 for n in range(30)],
        shortconv__l_cache=3,
    )  # fmt: skip
    made.tensors.remove(("output_norm.weight", (2048,), F32))
    made.tensors.append(("token_embd_norm.weight", (2048,), F32))
    return made


def nemotron_h() -> Model:
    """Nemotron-H 8B: a recurrence, attention or a feed-forward part in each layer."""
    pattern = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"
    s = Sizes(len(pattern), 4096, 32, 8, 128, 131072, 8192)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        if pattern[number] == "M":
            yield from s.mamba2(8192, 128, 8, 128)
        elif pattern[number] == "*":
            yield from s.attention()
        else:
            yield "ffn_up.weight", (4096, 21504), Q8_0
            yield "ffn_down.weight", (21504, 4096), Q8_0

    return model(
        "nemotron-h-8b", "nemotron_h", s, layer,
        attention__head_count_kv=[8 if p == "*" else 0 for p in pattern],
        feed_forward_length=[21504 if p == "-" else 0 for p in pattern],
        ssm__conv_kernel=4, ssm__inner_size=8192, ssm__state_size=128, ssm__group_count=8,
        ssm__time_step_rank=128,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "qwen2.5-72b": qwen25_72b,
    "ministral-3-14b": ministral3,
    "mistral-small-4": mistral4,
    "ernie-4.5-0.3b": ernie,
    "paddleocr-vl": paddle_ocr,
    "pangu-embedded-7b": pangu,
    "maincoder-1b": maincoder,
    "granite-3.1-3b-a800m": granite_moe,
    "jais-2-8b": jais2,
    "lfm2-2.6b": lfm2,
    "nemotron-h-8b": nemotron_h,
}

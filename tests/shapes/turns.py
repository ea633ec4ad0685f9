"""Models with a turn of their own in attention or feed-forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.shapes.usual import usual
from tests.unit.gguf_files import F32, Q8_0, Tensor


def minicpm3() -> Model:
    """MiniCPM3 4B: latent attention that is unpacked."""
    s = Sizes(62, 2560, 40, 40, 96, 73448, 32768)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_q_a.weight", (2560, 768), Q8_0
        yield "attn_q_a_norm.weight", (768,), F32
        yield "attn_q_b.weight", (768, 40 * 96), Q8_0
        yield "attn_kv_a_mqa.weight", (2560, 256 + 32), Q8_0
        yield "attn_kv_a_norm.weight", (256,), F32
        yield "attn_kv_b.weight", (256, 40 * 128), Q8_0
        yield "attn_output.weight", (40 * 64, 2560), Q8_0
        yield from s.feed_forward(6400)

    made = model(
        "minicpm3-4b", "minicpm3", s, layer, output=False, feed_forward_length=6400,
        attention__q_lora_rank=768, attention__kv_lora_rank=256, attention__value_length=64,
        rope__dimension_count=32, rope__scaling__type="longrope",
        rope__scaling__original_context_length=32768,
    )  # fmt: skip
    made.tensors.append(("rope_factors_long.weight", (16,), F32))
    made.tensors.append(("rope_factors_short.weight", (16,), F32))
    return made


def cogvlm() -> Model:
    """CogVLM: weights for images beside those for text."""
    made = usual("cogvlm-17b", "cogvlm", Sizes(32, 4096, 32, 32, 128, 32000, 4096), 11008,
                 joined=True)  # fmt: skip
    for number in range(32):
        made.tensors.extend(
            [
                (f"blk.{number}.vis_attn_qkv.weight", (4096, 3 * 4096), Q8_0),
                (f"blk.{number}.vis_attn_output.weight", (4096, 4096), Q8_0),
                (f"blk.{number}.vis_gate.weight", (4096, 11008), Q8_0),
                (f"blk.{number}.vis_up.weight", (4096, 11008), Q8_0),
                (f"blk.{number}.vis_down.weight", (11008, 4096), Q8_0),
            ]
        )
    return made


def bitnet() -> Model:
    """BitNet b1.58 3B: norms before the last projections, scales of weights."""
    s = Sizes(26, 3200, 32, 32, 100, 32002, 2048)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm", "attn_sub_norm")
        yield "ffn_sub_norm.weight", (8640,), F32
        yield from s.attention()
        yield from s.feed_forward(8640)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            yield f"{name}.scale", (1,), F32

    return model("bitnet-3b", "bitnet", s, layer, output=False, feed_forward_length=8640)


def openelm() -> Model:
    """OpenELM 3B: heads and widths grow from layer to layer."""
    heads = [12 + number // 3 for number in range(36)]
    heads = [one - one % 4 for one in heads]
    widths = [1536 + 256 * number for number in range(36)]

    def layer(number: int) -> Iterator[Tensor]:
        count = heads[number]
        s = Sizes(36, 3072, count, count // 4, 128, 32000)
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_qkv.weight", (3072, (count + count // 2) * 128), Q8_0
        yield from s.head_norms()
        yield "attn_output.weight", (count * 128, 3072), Q8_0
        yield from s.feed_forward(widths[number])

    return model(
        "openelm-3b", "openelm", Sizes(36, 3072, 12, 3, 128, 32000, 2048), layer, output=False,
        feed_forward_length=widths, attention__head_count=heads,
        attention__head_count_kv=[one // 4 for one in heads],
    )  # fmt: skip


def stablelm(name: str, s: Sizes, width: int, beside: bool) -> Model:
    """StableLM 2; the 12B feeds its feed-forward part what attention reads."""

    def layer(_: int) -> Iterator[Tensor]:
        yield "attn_norm.weight", (s.hidden,), F32
        yield "attn_norm.bias", (s.hidden,), F32
        yield from s.attention("" if beside else "qkv")
        if beside:
            yield "attn_q_norm.weight", (s.head, s.heads), F32
            yield "attn_k_norm.weight", (s.head, s.heads_kv), F32
        else:
            yield "ffn_norm.weight", (s.hidden,), F32
            yield "ffn_norm.bias", (s.hidden,), F32
        yield from s.feed_forward(width)

    made = model(name, "stablelm", s, layer, feed_forward_length=width,
                 rope__dimension_count=s.head // 4)  # fmt: skip
    made.tensors.append(("output_norm.bias", (s.hidden,), F32))
    return made


def starcoder2() -> Model:
    """StarCoder2 15B: biases everywhere, no gate."""
    made = usual("starcoder2-15b", "starcoder2", Sizes(40, 6144, 48, 4, 128, 49152, 16384), 24576,
                 biases="qkvo", gate=False, centred=True)  # fmt: skip
    for number in range(40):
        made.tensors.append((f"blk.{number}.ffn_up.bias", (24576,), F32))
        made.tensors.append((f"blk.{number}.ffn_down.bias", (6144,), F32))
    return made


def plamo3() -> Model:
    """PLaMo 3 31B: seven of eight layers slide."""
    s = Sizes(64, 5120, 40, 8, 128, 100032, 65536)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "post_attention_norm", (5120,), F32
        yield "post_ffw_norm", (5120,), F32
        yield "attn_qkv.weight", (5120, 56 * 128), Q8_0
        yield from s.head_norms()
        yield "attn_output.weight", (5120, 5120), Q8_0
        yield "ffn_up.weight", (5120, 2 * 20480), Q8_0
        yield "ffn_down.weight", (20480, 5120), Q8_0

    return model("plamo-3-31b", "plamo3", s, layer, feed_forward_length=20480,
                 attention__sliding_window=2048)  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "minicpm3-4b": minicpm3,
    "cogvlm-17b": cogvlm,
    "bitnet-3b": bitnet,
    "openelm-3b": openelm,
    "stablelm-2-12b": lambda: stablelm(
        "stablelm-2-12b", Sizes(40, 5120, 32, 8, 160, 100352, 4096), 13824, True
    ),
    "stablelm-2-1.6b": lambda: stablelm(
        "stablelm-2-1.6b", Sizes(24, 2048, 32, 32, 64, 100352, 4096), 5632, False
    ),
    "starcoder2-15b": starcoder2,
    "plamo-3-31b": plamo3,
    "llada-8b": lambda: usual(
        "llada-8b", "llada", Sizes(32, 4096, 32, 32, 128, 126464, 4096), 12288
    ),
    "dream-7b": lambda: usual(
        "dream-7b", "dream", Sizes(28, 3584, 28, 4, 128, 152064, 131072), 18944, biases="qkv"
    ),
}

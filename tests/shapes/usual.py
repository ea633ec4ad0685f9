"""Dense models built as most are: they differ in sizes, biases, norms and a few scalings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def usual(
    name: str, architecture: str, s: Sizes, width: int, *, joined: bool = False, biases: str = "",
    heads: bool = False, gate: bool = True, centred: bool = False, output: bool = True, **keys: Any,
) -> Model:  # fmt: skip
    """`joined`: q, k and v in one; `heads`: norms of q and k; `centred`: norms have biases."""
    both = (s.heads + 2 * s.heads_kv) * s.head

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if centred:
            yield "attn_norm.bias", (s.hidden,), F32
            yield "ffn_norm.bias", (s.hidden,), F32
        if joined:
            yield "attn_qkv.weight", (s.hidden, both), Q8_0
            yield "attn_output.weight", (s.heads * s.head, s.hidden), Q8_0
            if biases:
                yield "attn_qkv.bias", (both,), F32
        else:
            yield from s.attention(biases)
        if heads:
            yield from s.head_norms()
        names = s.feed_forward(width)
        yield from (one for one in names if gate or "gate" not in one[0])

    keys = {"feed_forward_length": width, **keys}
    made = model(name, architecture, s, layer, output, **keys)
    if centred:
        made.tensors.append(("output_norm.bias", (s.hidden,), F32))
    return made


def internlm2() -> Model:
    """InternLM2.5 20B."""
    return usual("internlm2.5-20b", "internlm2", Sizes(48, 6144, 48, 8, 128, 92544, 32768), 16384)


def qwen1() -> Model:
    """Qwen 14B, whose metadata count both halves of the feed-forward."""
    s = Sizes(40, 5120, 40, 40, 128, 152064, 8192)
    return usual("qwen-14b", "qwen", s, 13696, joined=True, biases="qkv",
                 feed_forward_length=2 * 13696)  # fmt: skip


def qwen25_vl() -> Model:
    """Qwen2.5-VL 32B."""
    s = Sizes(64, 5120, 40, 8, 128, 152064, 128000)
    return usual("qwen2.5-vl-32b", "qwen2vl", s, 27648, biases="qkv",
                 rope__dimension_sections=[16, 24, 24, 0])  # fmt: skip


def gemma1() -> Model:
    """Gemma 7B."""
    return usual("gemma-7b", "gemma", Sizes(28, 3072, 16, 16, 256, 256000, 8192), 24576,
                 output=False)  # fmt: skip


def minicpm4() -> Model:
    """MiniCPM4 8B: scaled as Granite is, frequencies for long contexts."""
    s = Sizes(32, 4096, 32, 2, 128, 73448, 32768)
    made = usual("minicpm4-8b", "minicpm", s, 16384, output=False, embedding_scale=12.0,
                 residual_scale=0.247, logit_scale=16.0, rope__scaling__type="longrope",
                 rope__scaling__original_context_length=32768)  # fmt: skip
    made.tensors.append(("rope_factors_long.weight", (64,), F32))
    made.tensors.append(("rope_factors_short.weight", (64,), F32))
    return made


def hunyuan_7b() -> Model:
    """Hunyuan 7B: q and k are normed after they are turned."""
    return usual("hunyuan-7b", "hunyuan-dense", Sizes(32, 4096, 32, 8, 128, 128167, 262144), 14336,
                 heads=True, output=False)  # fmt: skip


def hunyuan_ocr() -> Model:
    """HunyuanOCR 1B."""
    return usual("hunyuan-ocr", "hunyuan_vl", Sizes(24, 1024, 16, 8, 128, 120818, 32768), 3584,
                 heads=True, output=False, rope__dimension_sections=[16, 16, 16, 16])  # fmt: skip


def apertus() -> Model:
    """Apertus 70B: no gate."""
    activation: dict[str, Any] = {
        f"=xielu.{name}": 0.8 for name in ("alpha_n", "alpha_p", "beta", "eps")
    }
    return usual("apertus-70b", "apertus", Sizes(80, 8192, 64, 8, 128, 131072, 65536), 43008,
                 heads=True, gate=False, **activation)  # fmt: skip


def chatglm() -> Model:
    """GLM-4 9B: both halves of the feed-forward in one."""
    s = Sizes(40, 4096, 32, 2, 128, 151552)
    made = usual("glm-4-9b", "chatglm", s, 2 * 13696, biases="qkv", gate=False,
                 feed_forward_length=13696, rope__dimension_count=64)  # fmt: skip
    made.tensors[:] = [
        (name, (13696, 4096) if "ffn_down" in name else dims, kind)
        for name, dims, kind in made.tensors
    ]
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "internlm2.5-20b": internlm2,
    "qwen-14b": qwen1,
    "qwen2.5-vl-32b": qwen25_vl,
    "gemma-7b": gemma1,
    "minicpm4-8b": minicpm4,
    "hunyuan-7b": hunyuan_7b,
    "hunyuan-ocr": hunyuan_ocr,
    "apertus-70b": apertus,
    "glm-4-9b": chatglm,
    "afm-4.5b": lambda: usual(
        "afm-4.5b", "arcee", Sizes(36, 2560, 20, 4, 128, 128005), 18432, gate=False
    ),
    "exaone-3.5-32b": lambda: usual(
        "exaone-3.5-32b", "exaone", Sizes(64, 5120, 40, 8, 128, 102400, 32768), 27392
    ),
    "nemotron-4-15b": lambda: usual(
        "nemotron-4-15b", "nemotron", Sizes(32, 6144, 48, 8, 128, 256000, 4096), 24576,
        gate=False, centred=True, rope__dimension_count=64,
    ),
    "orion-14b": lambda: usual(
        "orion-14b", "orion", Sizes(40, 5120, 40, 40, 128, 84608, 4096), 15360, centred=True
    ),
    "xverse-13b": lambda: usual(
        "xverse-13b", "xverse", Sizes(40, 5120, 40, 40, 128, 100534, 8192), 13824
    ),
}  # fmt: skip

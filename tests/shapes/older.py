"""Dense models of the first years: GPT-2's heirs, Falcon, Phi-2, Baichuan, OLMo and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor

Layer = Callable[[int], Iterator[Tensor]]


def _norm(s: Sizes, *names: str) -> Iterator[Tensor]:
    """Norms that subtract the mean, with their biases."""
    for name in names:
        yield f"{name}.weight", (s.hidden,), F32
        yield f"{name}.bias", (s.hidden,), F32


def _joined(s: Sizes, biased: bool = True) -> Iterator[Tensor]:
    """q, k and v in one, and the output's projection."""
    width = (s.heads + 2 * s.heads_kv) * s.head
    yield "attn_qkv.weight", (s.hidden, width), Q8_0
    yield "attn_output.weight", (s.hidden, s.hidden), Q8_0
    if biased:
        yield "attn_qkv.bias", (width,), F32
        yield "attn_output.bias", (s.hidden,), F32


def _plain(s: Sizes, width: int, biased: bool = True, gate: bool = False) -> Iterator[Tensor]:
    """A feed-forward part, without a gate if not asked for."""
    for name in ("up", "gate") if gate else ("up",):
        yield f"ffn_{name}.weight", (s.hidden, width), Q8_0
        if biased:
            yield f"ffn_{name}.bias", (width,), F32
    yield "ffn_down.weight", (width, s.hidden), Q8_0
    if biased:
        yield "ffn_down.bias", (s.hidden,), F32


def _older(
    name: str, architecture: str, s: Sizes, width: int, norms: tuple[str, ...] = ("attn_norm",
    "ffn_norm"), biased: bool = True, gate: bool = False, output: bool = True,
    positions: bool = False, **keys: Any,
) -> Model:  # fmt: skip
    """A model whose norms subtract the mean; `positions`: an embedding for each of them."""

    def layer(_: int) -> Iterator[Tensor]:
        yield from _norm(s, *norms)
        yield from _joined(s, biased)
        yield from _plain(s, width, biased, gate)

    made = model(name, architecture, s, layer, output, feed_forward_length=width, **keys)
    made.tensors.append(("output_norm.bias", (s.hidden,), F32))
    if positions:
        made.tensors.append(("position_embd.weight", (s.hidden, s.context), F32))
    return made


def _usual(name: str, architecture: str, s: Sizes, width: int, norms: bool = True) -> Model:
    """A model of today's kind."""

    def layer(_: int) -> Iterator[Tensor]:
        if norms:
            yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(width)

    made = model(name, architecture, s, layer, feed_forward_length=width)
    if not norms:
        made.tensors.remove(("output_norm.weight", (s.hidden,), F32))
    return made


def bloom() -> Model:
    """BLOOM 7B."""
    made = _older("bloom-7b", "bloom", Sizes(30, 4096, 32, 32, 128, 250880, 2048), 16384,
                  output=False)  # fmt: skip
    made.tensors.extend(_norm(Sizes(30, 4096, 32, 32, 128, 250880), "token_embd_norm"))
    return made


def phi2() -> Model:
    """Phi-1.5, built as Phi-2 is."""
    s = Sizes(24, 2048, 32, 32, 64, 51200, 2048)
    made = _older("phi-1.5", "phi2", s, 8192, norms=("attn_norm",), rope__dimension_count=32)
    made.tensors.append(("output.bias", (51200,), F32))
    return made


def plamo() -> Model:
    """PLaMo 13B: attention and feed-forward of one norm."""
    s = Sizes(40, 5120, 40, 5, 128, 50432, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm")
        yield from s.attention()
        yield from s.feed_forward(13824)

    return model("plamo-13b", "plamo", s, layer, feed_forward_length=13824)


def deci() -> Model:
    """Llama-3.1-Nemotron-51B: some layers have no attention, or only a matrix in its place."""
    s = Sizes(80, 8192, 64, 8, 128, 128256)
    heads = [0 if number % 16 == 9 else 64 for number in range(80)]
    heads_kv = [0 if number % 16 in (9, 12) else 8 for number in range(80)]

    def layer(number: int) -> Iterator[Tensor]:
        if heads_kv[number]:
            yield from s.norms("attn_norm")
            yield from s.attention()
        elif heads[number]:
            yield from s.norms("attn_norm")
            yield "attn_output.weight", (8192, 8192), Q8_0
        yield from s.norms("ffn_norm")
        yield from s.feed_forward(28672 if number % 4 else 14336)

    return model(
        "nemotron-51b", "deci", s, layer, attention__head_count=heads,
        attention__head_count_kv=heads_kv,
        feed_forward_length=[28672 if number % 4 else 14336 for number in range(80)],
    )  # fmt: skip


def chameleon() -> Model:
    """Chameleon 7B: logits of picture tokens are overwritten in a copy."""
    s = Sizes(32, 4096, 32, 32, 128, 65536, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        for part in "qk":
            yield f"attn_{part}_norm.weight", (128, 32), F32
            yield f"attn_{part}_norm.bias", (128, 32), F32
        yield from s.feed_forward(11008)

    return model("chameleon-7b", "chameleon", s, layer, feed_forward_length=11008)


def _falcon(name: str, layers: int, hidden: int, heads: int, heads_kv: int) -> Model:
    two = ("attn_norm",) if layers == 32 else ("attn_norm", "attn_norm_2")
    s = Sizes(layers, hidden, heads, heads_kv, 64, 65024, 2048)
    return _older(name, "falcon", s, 4 * hidden, two, biased=False)


def _gpt_neox() -> Model:
    s = Sizes(44, 6144, 64, 64, 96, 50432, 2048)
    return _older("gpt-neox-20b", "gptneox", s, 24576, use_parallel_residual=True,
                  rope__dimension_count=24)  # fmt: skip


def _jais() -> Model:
    s = Sizes(40, 5120, 40, 40, 128, 84992, 2048)
    return _older("jais-13b", "jais", s, 13824, gate=True, attention__max_alibi_bias=8.0)


MODELS: dict[str, Callable[[], Model]] = {
    "falcon-40b": lambda: _falcon("falcon-40b", 60, 8192, 128, 8),
    "falcon-7b": lambda: _falcon("falcon-7b", 32, 4544, 71, 1),
    "gpt2-xl": lambda: _older("gpt2-xl", "gpt2", Sizes(48, 1600, 25, 25, 64, 50257, 1024), 6400,
                              output=False, positions=True),
    "gpt-neox-20b": _gpt_neox,
    "mpt-7b": lambda: _older("mpt-7b", "mpt", Sizes(32, 4096, 32, 32, 128, 50432, 8192), 16384,
                              biased=False, output=False, attention__max_alibi_bias=8.0),
    "starcoder-15b": lambda: _older("starcoder-15b", "starcoder", Sizes(
        40, 6144, 48, 1, 128, 49152, 8192), 24576, positions=True),
    "codeshell-7b": lambda: _older("codeshell-7b", "codeshell", Sizes(
        42, 4096, 32, 8, 128, 70144, 8192), 16384),
    "bloom-7b": bloom,
    "phi-1.5": phi2,
    "plamo-13b": plamo,
    "jais-13b": _jais,
    "nemotron-51b": deci,
    "chameleon-7b": chameleon,
    "baichuan2-13b": lambda: _usual("baichuan2-13b", "baichuan", Sizes(
        40, 5120, 40, 40, 128, 125696, 4096), 13696),
    "baichuan2-7b": lambda: _usual("baichuan2-7b", "baichuan", Sizes(
        32, 4096, 32, 32, 128, 125696, 4096), 11008),
    "refact-1.6b": lambda: _usual("refact-1.6b", "refact", Sizes(
        32, 2048, 32, 1, 64, 49216, 4096), 5632),
    "olmo-7b": lambda: _usual("olmo-7b", "olmo", Sizes(32, 4096, 32, 32, 128, 50304, 2048), 11008,
                              norms=False),
}  # fmt: skip

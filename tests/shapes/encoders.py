"""Models that make embeddings of texts: every token sees every other, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor

Layer = Callable[[int], Iterator[Tensor]]
# what all of them have: no output, every token is seen, and how its sentence is summed up
ENCODING: dict[str, Any] = {"attention__causal": False, "pooling_type": 1}


def _norm(hidden: int, *names: str, biased: bool = True) -> Iterator[Tensor]:
    for name in names:
        yield f"{name}.weight", (hidden,), F32
        if biased:
            yield f"{name}.bias", (hidden,), F32


def _encoder(name: str, architecture: str, s: Sizes, layer: Layer, **keys: Any) -> Model:
    return model(name, architecture, s, layer, output=False, **{**ENCODING, **keys})


def _bert(
    name: str, architecture: str, s: Sizes, width: int, *, joined: bool = False, gate: bool = False,
    positions: bool = True, experts: int = 0, second: bool = False, **keys: Any,
) -> Model:  # fmt: skip
    """Norms after each part; `joined`: q, k and v in one; `experts` in every second layer."""
    hidden = s.hidden

    def layer(number: int) -> Iterator[Tensor]:
        if joined:
            yield "attn_qkv.weight", (hidden, 3 * hidden), Q8_0
            if not gate:
                yield "attn_qkv.bias", (3 * hidden,), F32
            yield "attn_output.weight", (hidden, hidden), Q8_0
            if not gate:
                yield "attn_output.bias", (hidden,), F32
        else:
            yield from s.attention("qkvo")
        yield from _norm(hidden, "attn_output_norm", "layer_output_norm")
        if second:
            yield from _norm(hidden, "attn_norm_2")
        if experts and number % 2:
            yield "ffn_gate_inp.weight", (hidden, experts), F32
            yield "ffn_up_exps.weight", (hidden, width, experts), Q8_0
            yield "ffn_down_exps.weight", (width, hidden, experts), Q8_0
            return
        yield "ffn_up.weight", (hidden, width), Q8_0
        yield "ffn_down.weight", (width, hidden), Q8_0
        if gate:
            yield "ffn_gate.weight", (hidden, width), Q8_0
        else:
            yield "ffn_up.bias", (width,), F32
            yield "ffn_down.bias", (hidden,), F32

    made = _encoder(name, architecture, s, layer, feed_forward_length=width, **keys)
    made.tensors[:] = [one for one in made.tensors if one[0] != "output_norm.weight"]
    made.tensors.extend(_norm(hidden, "token_embd_norm"))
    made.keys["=tokenizer.ggml.token_type_count"] = 2
    made.tensors.append(("token_types.weight", (hidden, 2), F32))
    if positions:
        made.tensors.append(("position_embd.weight", (hidden, s.context), F32))
    return made


def modern_bert() -> Model:
    """ModernBERT large: two layers of three see a window only."""
    s = Sizes(28, 1024, 16, 16, 64, 50368, 8192)

    def layer(number: int) -> Iterator[Tensor]:
        names = ("attn_norm", "ffn_norm") if number else ("ffn_norm",)
        yield from s.norms(*names)
        yield "attn_qkv.weight", (1024, 3072), Q8_0
        yield "attn_output.weight", (1024, 1024), Q8_0
        yield "ffn_up.weight", (1024, 2 * 2624), Q8_0
        yield "ffn_down.weight", (2624, 1024), Q8_0

    made = _encoder(
        "modernbert-large", "modern-bert", s, layer, feed_forward_length=2624,
        attention__sliding_window=128, attention__sliding_window_pattern=3,
        rope__freq_base_swa=1e4,
    )  # fmt: skip
    made.tensors.append(("token_embd_norm.weight", (1024,), F32))
    return made


def eurobert() -> Model:
    """EuroBERT 610M."""
    s = Sizes(26, 1152, 18, 6, 64, 128256, 8192)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(4096)

    return _encoder("eurobert-610m", "eurobert", s, layer, feed_forward_length=4096)


def gemma_embedding() -> Model:
    """EmbeddingGemma 300M."""
    s = Sizes(24, 768, 3, 1, 256, 262144, 2048)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.feed_forward(1152)

    return _encoder(
        "embeddinggemma-300m", "gemma-embedding", s, layer, feed_forward_length=1152,
        attention__sliding_window=512, rope__freq_base_swa=1e4,
    )  # fmt: skip


def gemma_embedding2() -> Model:
    """EmbeddingGemma 2: an embedding for every layer, full layers with wider heads."""
    s = Sizes(24, 768, 3, 1, 512, 262144, 2048)

    def layer(number: int) -> Iterator[Tensor]:
        head = 512 if number % 6 == 5 else 256
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from Sizes(24, 768, 3, 1, head, 262144).attention()
        yield from Sizes(24, 768, 3, 1, head, 262144).head_norms()
        yield from s.feed_forward(1152)
        yield "inp_gate.weight", (768, 128), Q8_0
        yield "proj.weight", (128, 768), Q8_0
        yield "post_norm.weight", (768,), F32
        yield "layer_output_scale.weight", (1,), F32

    made = _encoder(
        "embeddinggemma-2", "gemma-embedding2", s, layer, feed_forward_length=1152,
        attention__sliding_window=512, attention__key_length_swa=256,
        attention__value_length_swa=256, rope__dimension_count=512, rope__dimension_count_swa=256,
        embedding_length_per_layer_input=128, embedding_length_out=768,
    )  # fmt: skip
    made.tensors.append(("per_layer_model_proj.weight", (768, 128 * 24), Q8_0))
    made.tensors.append(("per_layer_proj_norm.weight", (128,), F32))
    made.tensors.append(("output.weight", (768, 768), Q8_0))
    return made


def llama_embed() -> Model:
    """Llama-Embed-Nemotron 8B."""
    s = Sizes(32, 4096, 32, 8, 128, 128256, 131072)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.feed_forward(14336)

    return _encoder("llama-embed-8b", "llama-embed", s, layer, feed_forward_length=14336)


def neo_bert() -> Model:
    """NeoBERT: as today's models, with the encoder's name for the last norm."""
    s = Sizes(28, 768, 12, 12, 64, 30522, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_qkv.weight", (768, 3 * 768), Q8_0
        yield "attn_output.weight", (768, 768), Q8_0
        yield "ffn_up.weight", (768, 2 * 2048), Q8_0
        yield "ffn_down.weight", (2048, 768), Q8_0

    made = _encoder("neobert", "neo-bert", s, layer, feed_forward_length=2048)
    made.tensors.remove(("output_norm.weight", (768,), F32))
    made.tensors.append(("enc.output_norm.weight", (768,), F32))
    return made


def jina_v2() -> Model:
    """Jina Embeddings 2 for code: q and k are normed over all heads, two norms after attention."""
    s = Sizes(12, 768, 12, 12, 64, 61056, 8192)
    made = _bert("jina-v2-code", "jina-bert-v2", s, 3072, positions=False, second=True)
    for number in range(12):
        for part in "qk":
            made.tensors.extend(_norm(768, f"blk.{number}.attn_{part}_norm"))
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "bge-large": lambda: _bert("bge-large", "bert", Sizes(24, 1024, 16, 16, 64, 30522, 512), 4096),
    "nomic-embed-1.5": lambda: _bert(
        "nomic-embed-1.5", "nomic-bert", Sizes(12, 768, 12, 12, 64, 30522, 2048), 3072,
        joined=True, gate=True, positions=False),
    "nomic-embed-2": lambda: _bert(
        "nomic-embed-2", "nomic-bert-moe", Sizes(12, 768, 12, 12, 64, 250048, 2048), 3072,
        joined=True, positions=False, experts=8, expert_count=8, expert_used_count=2,
        moe_every_n_layers=2),
    "jina-v3": lambda: _bert("jina-v3", "jina-bert-v3", Sizes(24, 1024, 16, 16, 64, 250002, 8192),
        4096, joined=True, positions=False),
    "jina-v2-code": jina_v2,
    "modernbert-large": modern_bert,
    "neobert": neo_bert,
    "eurobert-610m": eurobert,
    "embeddinggemma-2": gemma_embedding2,
    "embeddinggemma-300m": gemma_embedding,
    "llama-embed-8b": llama_embed,
}  # fmt: skip

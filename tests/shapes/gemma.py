"""Gemma."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


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


def gemma3n(name: str, layers: int, width: int) -> Model:
    """Gemma 3n: four copies of the hidden state, embeddings by layer, only 20 layers cache."""
    s = Sizes(layers, 2048, 8, 2, 256, 262144, 32768)
    middle = 256

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.norms("post_norm", "laurel_post_norm", "altup_router_norm")
        yield from s.norms("altup_correct_scale")
        yield from s.attention()
        yield from s.head_norms()
        yield from s.feed_forward(width)
        yield "inp_gate.weight", (2048, middle), Q8_0
        yield "proj.weight", (middle, 2048), Q8_0
        yield "altup_correct_coef.weight", (4, 4), F32
        yield "altup_predict_coef.weight", (4, 16), F32
        yield "altup_router.weight", (2048, 4), F32
        yield "laurel_l.weight", (2048, 64), Q8_0
        yield "laurel_r.weight", (64, 2048), Q8_0

    made = model(
        name, "gemma3n", s, layer, output=False, feed_forward_length=width,
        attention__sliding_window=512, embedding_length_per_layer_input=middle,
    )  # fmt: skip
    made.tensors.extend(
        [
            ("per_layer_token_embd.weight", (layers * middle, 262144), Q8_0),
            ("per_layer_model_proj.weight", (2048, layers * middle), Q8_0),
            ("per_layer_proj_norm.weight", (middle,), F32),
            ("altup_proj.weight", (2048, 2048, 3), Q8_0),
            ("altup_unembd_proj.weight", (2048, 2048, 3), Q8_0),
        ]
    )
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "gemma-3-27b": gemma3,
    "gemma-2-27b": gemma2,
    "gemma-4-26b": lambda: gemma4("gemma-4-26b", 30, 2816, 16, (8, 2), 2112, 128),
    "gemma-4-31b": lambda: gemma4("gemma-4-31b", 60, 5376, 32, (16, 4), 21504),
    "gemma-4-e4b": lambda: gemma4(
        "gemma-4-e4b", 42, 2560, 8, (2, 2), 10240, per_layer=256, shared=18, window=512
    ),
    "gemma-3n-e4b": lambda: gemma3n("gemma-3n-e4b", 35, 16384),
    "gemma-3n-e2b": lambda: gemma3n("gemma-3n-e2b", 30, 8192),
}

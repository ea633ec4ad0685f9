"""Qwen 4 as its experimental architecture has it: gated streams, pooled attention, n-grams."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tests.shapes.parts import Model, Sizes, model
from tests.shapes.qwen import delta_net
from tests.unit.gguf_files import F32, Q8_0, Tensor

STREAMS, RANK, RATIO, GRAMS = 4, 256, 16, 8


def streams(hidden: int, name: str) -> Iterator[Tensor]:
    """How residual streams are mixed."""
    wide = STREAMS * hidden
    yield f"{name}_norm.weight", (wide,), F32
    yield f"{name}_down.weight", (wide, RANK), Q8_0
    yield f"{name}_up.weight", (RANK, wide), Q8_0


def qwen4(name: str = "qwen4-a3b", layers: int = 48, hidden: int = 2048) -> Model:
    """Qwen 4, 48 layers, with a layer that drafts and an embedding of n-grams for one."""
    s = Sizes(layers + 1, hidden, 16, 2, 256, 248320, 262144)
    full = [number % 4 == 3 or number == layers for number in range(layers + 1)]

    def grams() -> Iterator[Tensor]:
        yield "ple_key.weight", (hidden, STREAMS * hidden), Q8_0
        yield "ple_value.weight", (hidden, hidden), Q8_0
        for part in ("key", "query", "conv"):
            yield f"ple_norm_{part}.weight", (STREAMS * hidden,), F32
        yield "ple_conv1d.weight", (4, STREAMS * hidden), F32

    def layer(number: int) -> Iterator[Tensor]:
        for part in ("hc_attn", "hc_ffn"):
            yield from streams(hidden, part)
            yield f"{part}_inject.weight", (STREAMS * hidden, STREAMS), Q8_0
        if full[number]:
            yield from s.attention(query=2)
            yield from s.head_norms()
            yield "indexer.q_proj.weight", (hidden, 16 * 128), Q8_0
            yield "indexer.k_proj.weight", (hidden, 128), Q8_0
            yield "indexer.q_norm.weight", (128,), F32
            yield "indexer.k_norm.weight", (128,), F32
        else:
            yield from delta_net(hidden, 4096, 32)
        if number == 1:
            yield from grams()
        yield from s.experts(512, 512)
        yield "ffn_gate_inp_shexp.weight", (hidden,), F32
        yield from s.feed_forward(512, "_shexp")
        if number == layers:
            yield "nextn.eh_proj.weight", (2 * hidden, hidden), Q8_0
            yield from s.norms("nextn.enorm")
            yield "nextn.hnorm.weight", (STREAMS * hidden,), F32
            yield from streams(hidden, "nextn.hc_head")

    made = model(
        name, "qwen4exp", s, layer, expert_count=512, expert_used_count=10,
        expert_feed_forward_length=512, expert_shared_feed_forward_length=512,
        full_attention_interval=4, ssm__conv_kernel=4, ssm__inner_size=4096,
        ssm__state_size=128, ssm__time_step_rank=32, ssm__group_count=16,
        rope__dimension_count=64, rope__dimension_sections=[11, 11, 10, 0],
        hyper_connection__count=STREAMS, hyper_connection__low_rank=RANK,
        attention__indexer__head_count=16, attention__indexer__key_length=128,
        attention__indexer__top_k=2048, nextn_predict_layers=1,
        attention__compress_ratios=[RATIO if one else 0 for one in full],
        ple__layers=np.array([1], np.uint32), ple__ngram_size=3, ple__heads_per_ngram=4,
        ple__conv_kernel=4, ple__eos_token_id=5, embedding_length_per_layer_input=hidden // GRAMS,
        ple__layer_multipliers=np.array([3, 5, 7], np.uint64),
        ple__head_offsets=np.zeros(GRAMS, np.uint64),
        ple__head_vocab_sizes=np.full(GRAMS, 1000, np.uint64),
    )  # fmt: skip
    made.tensors.remove(("output_norm.weight", (hidden,), F32))
    made.tensors.extend(streams(hidden, "output_hc"))
    made.tensors.append(("per_layer_token_embd.weight", (hidden // GRAMS, 1000000), Q8_0))
    return made


MODELS: dict[str, Callable[[], Model]] = {"qwen4-a3b": qwen4}

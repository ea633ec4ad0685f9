"""What models' shapes are put together from: metadata and tensor lists.

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

    def mamba2(self, inner: int, state: int, groups: int, heads: int) -> Iterator[Tensor]:
        """A Mamba-2 layer's own tensors."""
        channels = inner + 2 * groups * state
        yield "ssm_in.weight", (self.hidden, inner + channels + heads), Q8_0
        yield "ssm_conv1d.weight", (4, channels), F32
        yield "ssm_conv1d.bias", (channels,), F32
        yield "ssm_dt.bias", (heads,), F32
        yield "ssm_a", (1, heads), F32
        yield "ssm_d", (1, heads), F32
        yield "ssm_norm.weight", (inner // groups, groups), F32
        yield "ssm_out.weight", (inner, self.hidden), Q8_0

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

"""Models with other tensors than they have: fewer layers, other quants, some joined, some more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from gguf import GGMLQuantizationType as Kind
from gguf.constants import GGML_QUANT_SIZES

from tests.shapes.parts import MXFP4, Model
from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor

# as files are quantised: by parts of the name, then everything else
RECIPES: dict[str, tuple[tuple[str, Kind], ...]] = {
    "Q4_K_M": ((r"attn_v\.|ffn_down|^output", Kind.Q6_K), ("", Kind.Q4_K)),
    "Q5_K_M": ((r"^output", Kind.Q6_K), ("", Kind.Q5_K)),
    "Q8_0": (("", Kind.Q8_0),),
    "BF16": (("", Kind.BF16),),
    "F16": (("", Kind.F16),),
    "UD-Q2_K_XL": (
        (r"_exps\.weight$", Kind.Q2_K), (r"shexp|attn_v|^output", Kind.Q6_K),
        (r"token_embd", Kind.Q4_K), ("", Kind.Q5_K),
    ),
    "UD-IQ4_XS": ((r"_exps\.weight$", Kind.IQ4_XS), (r"^output", Kind.Q6_K), ("", Kind.Q8_0)),
    "MXFP4": ((r"_exps\.weight$", MXFP4), ("", Kind.Q8_0)),
    "Q4_0": ((r"^output", Kind.Q6_K), ("", Kind.Q4_0)),
    "F16 outside": ((r"^output|token_embd", Kind.F16), ("", Kind.Q4_K)),
}  # fmt: skip
QUANTISED = frozenset({Q8_0, Q4_K, MXFP4})
# types that some files have for some tensors, and names of those
ODD_KINDS = (Kind.Q2_K, Kind.Q3_K, Kind.IQ1_S, Kind.IQ2_XXS, Kind.IQ3_S, Kind.TQ1_0, Kind.Q5_1,
             Kind.IQ4_NL, Kind.F32, Kind.Q4_1)  # fmt: skip
ODD_PARTS = ("token_embd", "output.", "_exps", "attn_v", "ffn_down")
# keys that files may lack: llama.cpp takes a value of its own, or refuses the file
OPTIONAL = (
    "attention.key_length", "attention.scale", "attention.sliding_window_pattern",
    "attention.temperature_scale", "attention.value_length", "context_length", "embedding_scale",
    "expert_feed_forward_length", "expert_gating_func", "expert_group_count",
    "expert_shared_count", "expert_weights_norm", "expert_weights_scale",
    "full_attention_interval", "leading_dense_block_count", "logit_scale", "residual_scale",
    "rope.dimension_count", "rope.freq_base", "rope.scaling.type", "vocab_size",
)  # fmt: skip


def cut(model: Model, layers: int) -> Model:
    """Only the first so many layers (drafting ones are dropped); stacks that run in cycles stay."""
    if "hrm.layers_per_stack" in model.keys:
        return model
    count = int(model.keys["block_count"])
    keys = {
        key: list(value)[:layers] if isinstance(value, list) and len(value) == count else value
        for key, value in model.keys.items()
    }
    keys["block_count"] = layers
    if "nextn_predict_layers" in keys:
        keys["nextn_predict_layers"] = 0
    tensors = [
        one for one in model.tensors
        if not one[0].startswith("blk.") or int(one[0].split(".")[1]) < layers
    ]  # fmt: skip
    return replace(model, keys=keys, tensors=tensors)


def quantised(model: Model, recipe: str) -> Model:
    """As this recipe quantises it, with what fits rows it cannot cut into blocks."""
    rows = RECIPES[recipe]

    def kind_of(name: str, width: int) -> Kind:
        kind = next(kind for part, kind in rows if re.search(part, name))
        return next(one for one in (kind, Q8_0, Kind.F16) if width % GGML_QUANT_SIZES[one][0] == 0)

    return replace(
        model,
        tensors=[
            (name, dims, kind_of(name, dims[0]) if kind in QUANTISED else kind)
            for name, dims, kind in model.tensors
        ],
    )


def of_kind(model: Model, part: str, kind: Kind) -> Model:
    """With weights whose names have this part of this type, where their rows are whole blocks."""
    block = GGML_QUANT_SIZES[kind][0]

    def fits(name: str, dims: tuple[int, ...], own: Kind) -> bool:
        return part in name and name.endswith(".weight") and own != F32 and dims[0] % block == 0

    return replace(
        model,
        tensors=[(n, dims, kind if fits(n, dims, own) else own) for n, dims, own in model.tensors],
    )


def silent(model: Model, key: str) -> Model:
    """Without this key."""
    return replace(model, keys={k: value for k, value in model.keys.items() if k != key})


def tied(model: Model) -> Model:
    """The output is the token embeddings."""
    return replace(model, tensors=[one for one in model.tensors if one[0] != "output.weight"])


def joined_experts(model: Model) -> Model:
    """Gate and up of the experts in one tensor."""

    def tensors() -> Iterator[Tensor]:
        for name, dims, kind in model.tensors:
            if name.endswith("ffn_up_exps.weight"):
                yield name.replace("_up_", "_gate_up_"), (dims[0], 2 * dims[1], dims[2]), kind
            elif not name.endswith("ffn_gate_exps.weight"):
                yield name, dims, kind

    return replace(model, tensors=list(tensors()))


def joined_attention(model: Model) -> Model:
    """Q, k and v in one tensor."""

    def tensors() -> Iterator[Tensor]:
        width: dict[str, int] = {}
        for name, dims, kind in model.tensors:
            found = re.fullmatch(r"blk\.(\d+)\.attn_([qkv])\.weight", name)
            if found is None:
                yield name, dims, kind
                continue
            width[found[1]] = width.get(found[1], 0) + dims[1]
            if found[2] == "v":
                yield f"blk.{found[1]}.attn_qkv.weight", (dims[0], width[found[1]]), kind

    return replace(model, tensors=list(tensors()))


def drafting(model: Model) -> Model:
    """One more layer, of the last one's kind, that only drafts."""
    if any(".nextn." in name for name, _, _ in model.tensors):
        return model
    count, hidden = int(model.keys["block_count"]), int(model.keys["embedding_length"])
    last = [one for one in model.tensors if one[0].startswith(f"blk.{count - 1}.")]
    added: list[Tensor] = [(f"blk.{count}.{n.split('.', 2)[2]}", dims, k) for n, dims, k in last]
    added.append((f"blk.{count}.nextn.eh_proj.weight", (2 * hidden, hidden), Q8_0))
    for name in ("enorm", "hnorm", "shared_head_norm"):
        added.append((f"blk.{count}.nextn.{name}.weight", (hidden,), F32))
    keys: dict[str, Any] = {
        key: [*value, value[-1]] if isinstance(value, list) and len(value) == count else value
        for key, value in model.keys.items()
    }
    keys.update({"block_count": count + 1, "nextn_predict_layers": 1})
    return replace(model, keys=keys, tensors=[*model.tensors, *added])


def turned(model: Model) -> Model:
    """With factors for its rotary embeddings, as Llama 3 has them."""
    size = int(model.keys.get("rope.dimension_count", 0)) // 2
    if not size or any(name == "rope_freqs.weight" for name, _, _ in model.tensors):
        return model
    return replace(model, tensors=[*model.tensors, ("rope_freqs.weight", (size,), F32)])


PLAIN: dict[str, Callable[[Model], Model]] = {
    "tied": tied,
    "joined_experts": joined_experts,
    "joined_attention": joined_attention,
    "drafting": drafting,
    "turned": turned,
}

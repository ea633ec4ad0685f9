"""Models in other sizes than anybody has trained: what a change of each size does to the tensors.

Only `llama-fit-params` says whether such a model can be loaded at all: what it refuses is no case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from gguf import GGMLQuantizationType as Kind
from gguf.constants import GGML_QUANT_SIZES

from tests.shapes.parts import MXFP4, Model
from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor

Factors = Mapping[str, Fraction]
ONE = Fraction(1)
# what each dimension of a tensor is: hidden, query, kv (heads), feed-forward, width of experts and
# of the shared ones, experts, vocabulary; a dot stays as it is
AXES = (
    (r"(token_embd|output)\.weight", "hv"),
    (r"output_(norm|res_score)\..*|token_embd_norm\..*", "h"),
    (r"per_layer_token_embd\.weight", ".v"),
    (r"per_layer_model_proj\.weight|inp_gate\.weight", "h."),
    (r"proj\.weight", ".h"),
    (r"attn_q_norm\.\w+", "q"),
    (r"attn_k_norm\.\w+", "k"),
    (r"(attn_norm|ffn_norm|attn_norm_2|post_\w+|layer_output_norm)\.\w+", "h"),
    (r"(attn|ffn)_(res_score|sub_norm)\.\w+", "h"),
    (r"attn_(q|gate)\.weight", "hq"),
    (r"attn_q\.bias|attn_sinks\.weight", "q"),
    (r"attn_(k|v)\.weight", "hk"),
    (r"attn_(k|v)\.bias", "k"),
    (r"attn_output\.weight", "qh"),
    (r"attn_output\.bias|ffn_down\.bias", "h"),
    (r"attn_(q_a|kv_a_mqa|kv)\.weight", "h."),
    (r"attn_(q_b|kv_b)\.weight", ".q"),
    (r"attn_(k_b|v_b)\.weight", "..q"),
    (r"ffn_(gate|up)\.weight", "hf"),
    (r"ffn_(gate|up)\.bias", "f"),
    (r"ffn_down\.weight", "fh"),
    (r"ffn_(gate|up|gate_up)_exps\.weight", "hwe"),
    (r"ffn_(gate|up|gate_up)_exps\.bias", "we"),
    (r"ffn_down_exps\.weight", "whe"),
    (r"ffn_down_exps\.bias", "he"),
    (r"ffn_(gate|up)_shexp\.weight", "hs"),
    (r"ffn_down_shexp\.weight", "sh"),
    (r"ffn_gate_inp\.weight", "he"),
    (r"ffn_gate_inp\.bias|exp_probs_b\.bias", "e"),
    (r"ffn_gate_inp_shexp\.weight", "h"),
    (r"nextn\.eh_proj\.weight", "hh"),
    (r"nextn\.\w*norm\.weight", "h"),
    (r"indexer\.(proj|attn_k)\.weight", "h."),
    (r"ssm_(in|beta|alpha|ba|f_a|g_a|g)\.weight|shortconv\.in_proj\.weight", "h."),
    (r"ssm_out\.weight", ".h"),
)  # fmt: skip
# the same for a recurrent layer, whose heads are others
RECURRENT = ((r"attn_(qkv|gate)\.weight", "h."), *AXES)
# … and where q, k and v are in one: only if q and k change alike
JOINED = ((r"attn_qkv\.weight", "hq"), (r"attn_qkv\.bias", "q"))
KEYS = {
    "embedding_length": "h",
    "attention.head_count": "q",
    "attention.head_count_kv": "k",
    "feed_forward_length": "f",
    "expert_feed_forward_length": "w",
    "expert_shared_feed_forward_length": "s",
    "expert_count": "e",
    "vocab_size": "v",
}
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


def resized(model: Model, factors: Factors) -> Model:
    """Every size times its factor; raises ValueError where one is not whole."""
    by_block: dict[str, list[str]] = {}
    for name, _, _ in model.tensors:
        by_block.setdefault(_block(name), []).append(name)
    recurrent = {block for block, names in by_block.items() if any("ssm_" in n for n in names)}
    keys = {
        key: _scaled(value, factors.get(KEYS.get(key, "."), ONE))
        for key, value in model.keys.items()
    }
    tensors = []
    for name, dims, kind in model.tensors:
        table = RECURRENT if name.startswith("blk.") and _block(name) in recurrent else AXES
        axes = _axes(name, (*JOINED, *table) if table is AXES else table, len(dims))
        if _within_head(name, dims, model):
            axes = "." * len(dims)
        changed = tuple(
            _whole(size * factors.get(axis, ONE)) for size, axis in zip(dims, axes, strict=True)
        )
        tensors.append((name, changed, kind))
    return replace(model, keys=keys, tensors=tensors)


def cut(model: Model, layers: int) -> Model:
    """Only the first so many layers (drafting ones are dropped)."""
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
        if not one[0].startswith("blk.") or int(_block(one[0])) < layers
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


def _block(name: str) -> str:
    return name.split(".")[1] if name.startswith("blk.") else ""


def _axes(name: str, table: tuple[tuple[str, str], ...], dims: int) -> str:
    short = name.split(".", 2)[2] if name.startswith("blk.") else name
    found = next((axes for part, axes in table if re.fullmatch(part, short)), "." * dims)
    return (found + "." * dims)[:dims]


def _within_head(name: str, dims: tuple[int, ...], model: Model) -> bool:
    """Norms of q and k are of one head or of all."""
    of_heads = name.rsplit(".", 1)[0].endswith(("attn_q_norm", "attn_k_norm"))
    return of_heads and dims[0] == model.keys.get("attention.key_length")


def _scaled(value: Any, factor: Fraction) -> Any:
    if isinstance(value, list):
        return [_scaled(one, factor) for one in value]
    return _whole(value * factor) if isinstance(value, int) and factor != 1 else value


def _whole(value: Fraction | int) -> int:
    if value != int(value):
        raise ValueError(f"{value} is not whole")
    return int(value)

"""Models in other sizes than anybody has trained: what a change of each size does to the tensors.

Only `llama-fit-params` says whether such a model can be loaded at all: what it refuses is no case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from tests.shapes.parts import Model

Factors = Mapping[str, Fraction]
ONE = Fraction(1)
# what each dimension of a tensor is: hidden, query, kv (heads), feed-forward, width of experts and
# of the shared ones, experts, vocabulary; a dot stays as it is
AXES = (
    (r"(token_embd|output)\.weight", "hv"),
    (r"(enc\.)?output_(norm|res_score)\..*|token_embd_norm\..*", "h"),
    (r"(token_types|position_embd)\.weight", "h."),
    (r"per_layer_token_embd\.weight", ".v"),
    (r"per_layer_model_proj\.weight|inp_gate\.weight", "h."),
    (r"proj\.weight", ".h"),
    (r"attn_q_norm\.\w+", "q"),
    (r"attn_k_norm\.\w+", "k"),
    (r"(attn_norm|ffn_norm|attn_norm_2|attn_output_norm|post_\w+|layer_output_norm)\.\w+", "h"),
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
    (r"(attn_[qkv]|ffn_(gate|up))\.lora_a", "h."),
    (r"attn_q\.lora_b", ".q"),
    (r"attn_[kv]\.lora_b", ".k"),
    (r"attn_output\.lora_a", "q."),
    (r"ffn_(gate|up)\.lora_b", ".f"),
    (r"ffn_down\.lora_a", "f."),
    (r"(attn_output|ffn_down)\.lora_b", ".h"),
    (r"hrm\.z_l_init", "h"),
    (r"ffn_latent_down\.weight", "h."),
    (r"ffn_latent_up\.weight", ".h"),
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

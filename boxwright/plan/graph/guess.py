"""Tensors of a model of which only sizes are known: an old stamp, or an unknown architecture."""

from __future__ import annotations

from dataclasses import replace

from boxwright.shapes import Dimensions, LayerShape, ModelShape

BITS_PER_EXPERT_WEIGHT = 4.5  # most files' experts are of a 4-bit type
HEAD = 128
EXPERT_TENSORS = 3


def guessed(shape: ModelShape) -> ModelShape:
    """The shape with the tensors of a usual transformer of its sizes."""
    hidden = shape.hidden_size
    kinds = list(dict.fromkeys(replace(layer, sliding_window=None) for layer in shape.layers))
    heads_kv = max(layer.kv_elements_k for layer in shape.layers) // HEAD or 1
    return replace(
        shape,
        architecture="",
        layers=tuple(
            replace(layer, block=kinds.index(replace(layer, sliding_window=None)))
            for layer in shape.layers
        ),
        metadata={
            ".block_count": shape.spread_layers,
            ".attention.head_count": max(hidden // HEAD, 1),
            ".attention.head_count_kv": heads_kv,
            ".attention.key_length": HEAD,
            ".attention.value_length": HEAD,
            ".expert_used_count": shape.experts_used or 1,
        },
        blocks=tuple(_tensors(shape, layer, heads_kv) for layer in kinds),
        tensors={
            "token_embd.weight": (hidden, shape.vocabulary),
            "output_norm.weight": (hidden,),
            "output.weight": (hidden, shape.vocabulary),
        },
    )


def _tensors(shape: ModelShape, layer: LayerShape, heads_kv: int) -> Dimensions:
    hidden = shape.hidden_size
    width = max(hidden // HEAD, 1) * HEAD
    found: Dimensions = {"attn_norm.weight": (hidden,), "ffn_norm.weight": (hidden,)}
    found |= {
        "attn_q.weight": (hidden, width),
        "attn_k.weight": (hidden, heads_kv * HEAD),
        "attn_v.weight": (hidden, heads_kv * HEAD),
        "attn_output.weight": (width, hidden),
    }
    if not layer.expert_bytes or not shape.experts:
        middle = 4 * hidden
        return found | {
            "ffn_gate.weight": (hidden, middle),
            "ffn_up.weight": (hidden, middle),
            "ffn_down.weight": (middle, hidden),
        }
    weights = layer.expert_bytes / EXPERT_TENSORS * 8 / BITS_PER_EXPERT_WEIGHT
    middle = max(int(weights / hidden / shape.experts), 1)
    return found | {
        "ffn_gate_inp.weight": (hidden, shape.experts),
        "ffn_gate_exps.weight": (hidden, middle, shape.experts),
        "ffn_up_exps.weight": (hidden, middle, shape.experts),
        "ffn_down_exps.weight": (middle, hidden, shape.experts),
    }

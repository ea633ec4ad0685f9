"""Which type of KV cache llama.cpp takes for a model, and what a plan does about another one."""

from __future__ import annotations

from dataclasses import replace

from boxwright.plan.context import CACHE_TYPES
from boxwright.plan.cures import Curable, Cure
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.results import Refusal
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

WHOLE = "f16"
# flash attention is forced off for these, and quantised values need it (src/llama-context.cpp)
WITHOUT_FLASH_ATTENTION = frozenset({"grok"})


def decide(wanted: Wanted, shape: ModelShape) -> tuple[Wanted, str | None] | Refusal:
    """The wishes with a type that the model can have, and a sentence if that is another one.

    Refused where another type was asked for than the default one.
    """
    reason = _obstacle(wanted.server_cache_type, shape)
    if reason is None:
        return wanted, None
    if wanted.server_cache_type != Wanted.server_cache_type:
        whole = Cure(f"set server_cache_type to {WHOLE}", {"server_cache_type": WHOLE})
        return Curable(
            f"server_cache_type is {wanted.server_cache_type}, which llama.cpp does not take for"
            f" this model: {reason}",
            whole.said,
            (whole,),
        )
    return (
        replace(wanted, server_cache_type=WHOLE),
        f"The KV cache is {WHOLE}: llama.cpp takes no {wanted.server_cache_type} for this model,"
        f" since {reason}.",
    )


def _obstacle(kind: str, shape: ModelShape) -> str | None:
    """Why a model cannot have a cache of this type (`llama_init_from_model`, b11549)."""
    elements = CACHE_TYPES[kind][1]
    if elements == 1:
        return None
    if shape.architecture in WITHOUT_FLASH_ATTENTION:
        return "it runs without flash attention"
    metadata = Metadata(shape)
    heads = metadata.at("attention.head_count")
    for part in ("key_length", "value_length"):
        for window in dict.fromkeys(layer.sliding_window for layer in shape.layers):
            size = metadata.head(part, window, shape.hidden_size, heads)
            if size % elements:
                return f"its heads have {size} elements, needs a multiple of {elements}"
    return None

"""What llama-server keeps in host RAM to go back in a conversation: context checkpoints.

A KV cache can be cut at any token; recurrent state and sliding windows cannot, so copies of them
are kept in host RAM (tools/server/server-context.cpp, b11549: `create_checkpoint`).
"""

from __future__ import annotations

from itertools import zip_longest

from boxwright.plan.context import CACHE_TYPES, ContextSize, size_of
from boxwright.plan.wanted import Wanted
from boxwright.shapes import LayerShape, ModelShape

# llama-server's own limit per slot (common/common.h). It is reached in a context of any size: each
# turn of a chat makes up to three, and `--checkpoint-min-step` spaces them only once all are there.
MOST = 32
STEP_TOKENS = 8192
OF_A_TURN = 3
FLAG = "--ctx-checkpoints"
FLAGS = ("-ctxcp", FLAG, "--swa-checkpoints")
VARIABLE = "LLAMA_ARG_CTX_CHECKPOINTS"


def named(wanted: Wanted) -> int | None:
    """How many checkpoints a slot may keep by the user's own arguments or environment."""
    args, text = wanted.server_extra_args, wanted.server_environment.get(VARIABLE, "")
    for word, following in zip_longest(args, args[1:], fillvalue=""):
        flag, equals, value = word.partition("=")
        if flag in FLAGS:
            text = value if equals else following
    return int(text) if text.isdecimal() else None


def per_slot(wanted: Wanted, size: ContextSize) -> int:
    """How many a slot may keep: as the user says, else one per step and those of the last turn."""
    given = named(wanted)
    if given is not None:
        return given
    return min(-(-size.per_sequence // STEP_TOKENS) + OF_A_TURN, MOST)


def arguments(
    shape: ModelShape | None, wanted: Wanted, flags: frozenset[str] | None
) -> tuple[str, ...]:
    """What tells llama-server so; nothing where it keeps none, or a build (`flags`) cannot."""
    if shape is None or named(wanted) is not None or (flags is not None and FLAG not in flags):
        return ()
    size = size_of(wanted)
    return (FLAG, str(per_slot(wanted, size))) if checkpoint_bytes(shape, size) else ()


def checkpoint_bytes(shape: ModelShape, size: ContextSize) -> int:
    """One checkpoint of one sequence: what cannot be cut. 0 where the whole context can be.

    Of a window its own tokens are saved, without the cache's room for a batch beside them
    (`llama_kv_cache::state_write` leaves out masked cells); of the KV cache nothing.
    """
    return sum(_layer_bytes(layer, size) for layer in shape.layers)


def _layer_bytes(layer: LayerShape, size: ContextSize) -> int:
    numerator, denominator = CACHE_TYPES[size.cache_type]
    tokens = min(layer.sliding_window or 0, size.per_sequence)
    elements = (layer.kv_elements_k + layer.kv_elements_v) * tokens
    return elements * numerator // denominator + layer.recurrent_bytes

"""What llama-server keeps in host RAM to go back in a conversation: context checkpoints.

A KV cache can be cut at any token; recurrent state and sliding windows cannot, so copies of them
are kept in host RAM (tools/server/server-context.cpp, b11549: `create_checkpoint`).
"""

from __future__ import annotations

from functools import lru_cache

from boxwright.plan.context import CACHE_TYPES, ContextSize, size_of
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted
from boxwright.shapes import LayerShape, ModelShape

MIB = 1024**2
# llama-server's own limit per slot (common/common.h). It is reached in a context of any size: each
# turn of a chat makes up to three, and `--checkpoint-min-step` spaces them only once all are there.
MOST = 32
STEP_TOKENS = 8192
OF_A_TURN = 3
FLAG = "--ctx-checkpoints"


def per_slot(wanted: Wanted, size: ContextSize) -> int:
    """How many a slot may keep: as the user says, else one per step and those of the last turn."""
    if wanted.server_context_checkpoints is not None:
        return wanted.server_context_checkpoints
    return min(-(-size.per_sequence // STEP_TOKENS) + OF_A_TURN, MOST)


def arguments(
    shape: ModelShape | None, wanted: Wanted, flags: frozenset[str] | None
) -> tuple[str, ...]:
    """What tells llama-server so; nothing where it keeps none, or a build (`flags`) cannot."""
    if shape is None or (flags is not None and FLAG not in flags):
        return ()
    size = size_of(wanted)
    return (FLAG, str(per_slot(wanted, size))) if checkpoint_bytes(shape, size) else ()


def untold(
    shape: ModelShape | None, wanted: Wanted, flags: frozenset[str] | None
) -> tuple[str, ...]:
    """A sentence where they are counted, and the build cannot be told how many to keep."""
    if shape is None or flags is None or FLAG in flags:
        return ()
    size = size_of(wanted)
    each, count = checkpoint_bytes(shape, size), per_slot(wanted, size) * size.sequences
    if not each or not count:
        return ()
    return (
        f"The build that is installed does not take {FLAG}: the plan counts"
        f" {counted(count, 'checkpoint')} of {each / MIB:.0f} MiB in host RAM, how many it"
        " keeps is its own affair.",
    )


@lru_cache(maxsize=256)
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

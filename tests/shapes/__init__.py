"""Models' real shapes, from their public configurations, by name."""

from collections.abc import Callable

from tests.shapes import (
    delta,
    dense,
    gemma,
    hybrid,
    latent,
    latent_more,
    llama,
    minimax,
    newer,
    newest,
    older,
    pooled,
    qwen,
    qwen4,
    routed,
    rwkv,
    sliding,
    sparse,
    state,
    turns,
    usual,
    vision,
)
from tests.shapes.parts import Model

EVERY: dict[str, Callable[[], Model]] = {
    **qwen.MODELS,
    **llama.MODELS,
    **gemma.MODELS,
    **latent.MODELS,
    **hybrid.MODELS,
    **sparse.MODELS,
    **sliding.MODELS,
    **dense.MODELS,
    **newer.MODELS,
    **minimax.MODELS,
    **latent_more.MODELS,
    **usual.MODELS,
    **turns.MODELS,
    **routed.MODELS,
    **state.MODELS,
    **rwkv.MODELS,
    **vision.MODELS,
    **older.MODELS,
    **newest.MODELS,
    **delta.MODELS,
    **pooled.MODELS,
    **qwen4.MODELS,
}

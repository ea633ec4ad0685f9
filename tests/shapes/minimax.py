"""MiniMax-M3."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def minimax_m3() -> Model:
    """MiniMax-M3, 428B: an indexer picks blocks; three dense layers first."""
    s = Sizes(60, 6144, 64, 4, 128, 200064, 524288)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield from s.attention()
        yield from s.head_norms()
        if number < 3:
            yield from s.feed_forward(12288)
            return
        yield from s.experts(128, 3072, bias="choice")
        yield from s.feed_forward(3072, "_shexp")
        yield "indexer.q_proj.weight", (6144, 4 * 128), Q8_0
        yield "indexer.k_proj.weight", (6144, 128), Q8_0
        yield "indexer.q_norm.weight", (128,), F32
        yield "indexer.k_norm.weight", (128,), F32

    return model(
        "minimax-m3", "minimax-m3", s, layer, expert_count=128, expert_used_count=4,
        expert_feed_forward_length=3072, expert_shared_count=1, leading_dense_block_count=3,
        expert_weights_scale=2.0, expert_weights_norm=True, expert_gating_func=2,
        feed_forward_length=12288, rope__dimension_count=64,
        attention__indexer__head_count=4, attention__indexer__key_length=128,
        attention__indexer__top_k=16, attention__indexer__block_size=128,
        attention__indexer__local_blocks=1,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {"minimax-m3": minimax_m3}

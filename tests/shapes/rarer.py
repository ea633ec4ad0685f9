"""Models that are built as no others: MiniMax-01, Talkie, and one that runs its layers again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.shapes.usual import usual
from tests.unit.gguf_files import F32, Q8_0, Tensor


def minimax_01() -> Model:
    """MiniMax-Text-01, a third of its 80 layers: every eighth has a cache."""
    s = Sizes(27, 6144, 64, 8, 128, 200064, 10240000)
    width = 64 * 128

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        if number % 8 == 7:
            yield from s.attention()
        else:
            yield "attn_norm_2.weight", (width,), F32
            yield "attn_qkv.weight", (6144, 3 * width), Q8_0
            yield "attn_gate.weight", (6144, width), Q8_0
            yield "attn_output.weight", (width, 6144), Q8_0
        yield from s.experts(32, 9216)

    return model(
        "minimax-01", "minimax-01", s, layer, expert_count=32, expert_used_count=2,
        feed_forward_length=9216, residual_scale=3.5565588200778455, rope__dimension_count=64,
        full_attention_interval=8,
    )  # fmt: skip


def talkie() -> Model:
    """Talkie 13B: no norm but that of q has weights."""
    s = Sizes(40, 5120, 40, 40, 128, 65536, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.attention()
        yield "attn_q_norm.weight", (1, 40), F32
        yield from s.feed_forward(13696)
        yield "layer_output_scale.weight", (1,), F32

    made = model("talkie-13b", "talkie", s, layer, feed_forward_length=13696, logit_scale=0.1)
    made.tensors[:] = [one for one in made.tensors if one[0] != "output_norm.weight"]
    return made


def nanbeige(loops: int, skips: bool) -> Model:
    """Nanbeige with its layers run so often, and a norm between the runs unless it `skips` that."""
    made = usual("nanbeige", "nanbeige", Sizes(22, 2560, 20, 4, 128, 166144, 262144), 10496)
    made.keys.update({"num_loops": loops, "skip_loop_final_norm": skips})
    return made


MODELS: dict[str, Callable[[], Model]] = {
    "minimax-01": minimax_01,
    "talkie-13b": talkie,
    "nanbeige-twice": lambda: nanbeige(2, False),
    "nanbeige-thrice": lambda: nanbeige(3, True),
}

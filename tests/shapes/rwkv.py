"""RWKV: no attention at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def _norms(s: Sizes) -> Iterator[Tensor]:
    for name in ("attn_norm", "attn_norm_2", "time_mix_ln"):
        yield f"{name}.weight", (s.hidden,), F32
        yield f"{name}.bias", (s.hidden,), F32


def _outside(made: Model, hidden: int) -> Model:
    made.tensors.append(("output_norm.bias", (hidden,), F32))
    made.tensors.append(("token_embd_norm.weight", (hidden,), F32))
    made.tensors.append(("token_embd_norm.bias", (hidden,), F32))
    return made


def rwkv6(name: str, layers: int, hidden: int, width: int, fused: bool = True) -> Model:
    """RWKV-6 World."""
    s = Sizes(layers, hidden, 0, 0, 0, 65536, 1048576)

    def layer(_: int) -> Iterator[Tensor]:
        yield from _norms(s)
        yield "time_mix_w1.weight", (hidden, 5 * 64), Q8_0
        yield "time_mix_w2.weight", (64, hidden, 5), F32
        yield "time_mix_lerp_x.weight", (hidden, 1, 1), F32
        if fused:
            yield "time_mix_lerp_fused.weight", (hidden, 1, 1, 5), F32
        else:
            yield from ((f"time_mix_lerp_{one}.weight", (hidden, 1, 1), F32) for one in "wkvrg")
        yield "time_mix_first.weight", (64, hidden // 64), F32
        yield "time_mix_decay.weight", (hidden,), F32
        yield "time_mix_decay_w1.weight", (hidden, 128), Q8_0
        yield "time_mix_decay_w2.weight", (128, hidden), Q8_0
        for one in ("key", "value", "receptance", "gate", "output"):
            yield f"time_mix_{one}.weight", (hidden, hidden), Q8_0
        yield "channel_mix_lerp_k.weight", (hidden, 1, 1), F32
        yield "channel_mix_lerp_r.weight", (hidden, 1, 1), F32
        yield "channel_mix_key.weight", (hidden, width), Q8_0
        yield "channel_mix_value.weight", (width, hidden), Q8_0
        yield "channel_mix_receptance.weight", (hidden, hidden), Q8_0

    return _outside(model(
        name, "rwkv6", s, layer, feed_forward_length=width, wkv__head_size=64,
        time_mix_extra_dim=64, time_decay_extra_dim=128, rescale_every_n_layers=6,
    ), hidden)  # fmt: skip


def rwkv7(name: str, layers: int, hidden: int) -> Model:
    """RWKV-7 World and G1."""
    s, width = Sizes(layers, hidden, 0, 0, 0, 65536, 1048576), 4 * hidden
    ranks = {"w": 128, "a": 128, "v": 96}

    def layer(number: int) -> Iterator[Tensor]:
        yield from _norms(s)
        for one, rank in ranks.items():
            rank = ranks["a"] if number == 0 and one == "v" else rank
            yield f"time_mix_{one}0.weight", (hidden,), F32
            yield f"time_mix_{one}1.weight", (hidden, rank), Q8_0
            yield f"time_mix_{one}2.weight", (rank, hidden), Q8_0
        yield "time_mix_g1.weight", (hidden, 480), Q8_0
        yield "time_mix_g2.weight", (480, hidden), Q8_0
        yield "time_mix_lerp_fused.weight", (hidden, 1, 1, 6), F32
        for one in ("k_k", "k_a", "r_k"):
            yield f"time_mix_{one}.weight", (hidden,), F32
        for one in ("key", "value", "receptance", "output"):
            yield f"time_mix_{one}.weight", (hidden, hidden), Q8_0
        yield "channel_mix_lerp_k.weight", (hidden, 1, 1), F32
        yield "channel_mix_key.weight", (hidden, width), Q8_0
        yield "channel_mix_value.weight", (width, hidden), Q8_0

    return _outside(model(
        name, "rwkv7", s, layer, feed_forward_length=width, wkv__head_size=64,
        attention__decay_lora_rank=128, attention__iclr_lora_rank=128,
        attention__value_residual_mix_lora_rank=96, attention__gate_lora_rank=480,
    ), hidden)  # fmt: skip


def qrwkv6() -> Model:
    """QRWKV6 32B: Qwen's feed-forward part, keys and values of fewer heads."""
    hidden, width = 5120, 27648
    s = Sizes(64, hidden, 40, 8, 128, 152064, 1048576)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "time_mix_w1.weight", (hidden, 5 * 64), Q8_0
        yield "time_mix_w2.weight", (64, hidden, 5), F32
        yield "time_mix_lerp_x.weight", (hidden, 1, 1), F32
        yield "time_mix_lerp_fused.weight", (hidden, 1, 1, 5), F32
        yield "time_mix_decay.weight", (hidden,), F32
        yield "time_mix_decay_w1.weight", (hidden, 128), Q8_0
        yield "time_mix_decay_w2.weight", (128, hidden), Q8_0
        for one in ("key", "value"):
            yield f"time_mix_{one}.weight", (hidden, 8 * 128), Q8_0
            yield f"time_mix_{one}.bias", (8 * 128,), F32
        for one in ("receptance", "gate", "output"):
            yield f"time_mix_{one}.weight", (hidden, hidden), Q8_0
        yield from s.feed_forward(width)

    return model(
        "qrwkv6-32b", "rwkv6qwen2", s, layer, feed_forward_length=width, wkv__head_size=128,
        time_mix_extra_dim=64, time_decay_extra_dim=128, token_shift_count=1,
    )  # fmt: skip


def arwkv() -> Model:
    """ARWKV 7B: RWKV 7 without gates in place of Qwen2.5's attention."""
    hidden, width = 3584, 18944
    s = Sizes(28, hidden, hidden // 64, hidden // 64, 64, 152064)

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        for part, rank in (("w", 96), ("a", 96), ("v", 96 if number == 0 else 64)):
            yield f"time_mix_{part}0.weight", (hidden,), F32
            yield f"time_mix_{part}1.weight", (hidden, rank), Q8_0
            yield f"time_mix_{part}2.weight", (rank, hidden), Q8_0
        yield "time_mix_lerp_fused.weight", (hidden, 1, 1, 5), F32
        for name in ("k_k", "k_a", "r_k"):
            yield f"time_mix_{name}.weight", (hidden,), F32
        for name in ("key", "value", "receptance", "output"):
            yield f"time_mix_{name}.weight", (hidden, hidden), Q8_0
        yield from s.feed_forward(width)

    return model(
        "arwkv-7b", "arwkv7", s, layer, feed_forward_length=width, wkv__head_size=64,
        attention__decay_lora_rank=96, attention__iclr_lora_rank=96,
        attention__value_residual_mix_lora_rank=64, token_shift_count=1,
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "rwkv6-7b": lambda: rwkv6("rwkv6-7b", 32, 4096, 14336),
    "arwkv-7b": arwkv,
    "rwkv6-1.6b": lambda: rwkv6("rwkv6-1.6b", 24, 2048, 7168, fused=False),
    "rwkv7-7b": lambda: rwkv7("rwkv7-7b", 32, 4096),
    "qrwkv6-32b": qrwkv6,
}

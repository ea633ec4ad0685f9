"""Models of which few are trained yet: layers run in cycles, adapters that tokens choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.shapes.parts import Model, Sizes, model
from tests.unit.gguf_files import F32, Q8_0, Tensor


def hrm_text(stack: int = 16, high: int = 2, low: int = 3) -> Model:
    """HRM-Text 1B: two stacks of layers, in `high` cycles with so many runs of the low one."""
    blocks = 2 * stack
    s = Sizes(stack * high * (low + 1), 1536, 12, 12, 128, 65536, 4096)

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.attention()
        yield "attn_gate.weight", (1536, 12 * 128), Q8_0
        yield from s.feed_forward(4096)

    made = model(
        "hrm-text-1b", "hrm_text", s, layer, blocks=blocks, feed_forward_length=4096,
        hrm__layers_per_stack=stack, hrm__h_cycles=high, hrm__l_cycles=low, hrm__prefix_lm=True,
        embedding_scale=39.19,
    )  # fmt: skip
    made.tensors[:] = [one for one in made.tensors if one[0] != "output_norm.weight"]
    made.tensors.append(("hrm.z_l_init", (1536,), F32))
    return made


def granite_switch() -> Model:
    """Granite Switch 3B: an attention of its own finds which adapter each token has."""
    s = Sizes(40, 2560, 40, 8, 64, 100352)
    adapters, rank, width = 12, 32, 8192
    parts = {
        "attn_q": (2560, 2560), "attn_k": (2560, 512), "attn_v": (2560, 512),
        "attn_output": (2560, 2560), "ffn_gate": (2560, width), "ffn_up": (2560, width),
        "ffn_down": (width, 2560),
    }  # fmt: skip

    def layer(_: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "ffn_norm")
        yield "attn_qkv.weight", (2560, 2560 + 2 * 512), Q8_0
        yield "attn_output.weight", (2560, 2560), Q8_0
        yield from s.feed_forward(width)
        for name, (narrow, wide) in parts.items():
            yield f"{name}.lora_a", (narrow, rank, adapters + 1), Q8_0
            yield f"{name}.lora_b", (rank, wide, adapters + 1), Q8_0

    return model(
        "granite-switch-3b", "graniteswitch", s, layer, output=False, feed_forward_length=width,
        embedding_scale=12.0, residual_scale=0.22, logit_scale=10.0, attention__scale=0.015625,
        adapters__count=adapters, adapters__lora_rank=rank,
        adapters__token_ids_activate=list(range(100, 100 + adapters)),
        adapters__token_ids_substitute=list(range(200, 200 + adapters)),
    )  # fmt: skip


def maion_coder() -> Model:
    """maion-coder: experts in every other layer, on fewer elements than the layer has."""
    s = Sizes(24, 2048, 16, 4, 128, 151936)
    latent, experts, width = 1024, 64, 768

    def layer(number: int) -> Iterator[Tensor]:
        yield from s.norms("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
        yield from s.attention()
        yield from s.head_norms()
        if number % 2 == 0:
            yield from s.feed_forward(6144)
            return
        yield "ffn_gate_inp.weight", (2048, experts), F32
        yield "ffn_latent_down.weight", (2048, latent), Q8_0
        yield "ffn_latent_up.weight", (latent, 2048), Q8_0
        for name in ("gate", "up"):
            yield f"ffn_{name}_exps.weight", (latent, width, experts), Q8_0
        yield "ffn_down_exps.weight", (width, latent, experts), Q8_0

    return model(
        "maion-coder", "maion-coder", s, layer, feed_forward_length=6144, expert_count=experts,
        expert_used_count=8, expert_feed_forward_length=width, interleave_moe_layer_step=2,
        moe_latent_size=latent, attention__sliding_window=1024,
        attention__sliding_window_pattern=[number % 4 != 3 for number in range(24)],
    )  # fmt: skip


MODELS: dict[str, Callable[[], Model]] = {
    "hrm-text-1b": hrm_text,
    "hrm-text-once": lambda: hrm_text(6, 1, 1),
    "granite-switch-3b": granite_switch,
    "maion-coder": maion_coder,
}

"""What one physical batch of a prompt moves and computes, by the device that does it.

Weights in host RAM are computed on the first GPU with 32 tokens or more, also where no layer lies
on it (reference/llama-cpp.md 4.3, llama.cpp pull 6083); with fewer the processor does it itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.layout import HOST, Layout
from boxwright.plan.speed_decode import active_experts
from boxwright.shapes import ModelShape

OFFLOADED_FROM = 32  # tokens in a batch


@dataclass(frozen=True)
class Work:
    """One device's part of a batch.

    Bytes of dense weights, of the output, of the routed experts that any of its tokens uses and of
    those that one token uses; how many experts are used, and how many recurrent layers passed.
    """

    dense_bytes: float = 0.0
    output_bytes: float = 0.0
    routed_bytes: float = 0.0
    token_bytes: float = 0.0
    experts: float = 0.0
    recurrent: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.dense_bytes + other.dense_bytes,
            self.output_bytes + other.output_bytes,
            self.routed_bytes + other.routed_bytes,
            self.token_bytes + other.token_bytes,
            self.experts + other.experts,
            self.recurrent + other.recurrent,
        )


@dataclass(frozen=True)
class Batch:
    """The work of every device and of HOST, bytes copied to the first device, and where each layer
    and its experts are computed.

    The output counts as if every batch were a prompt's last, which alone needs it: so it is for
    short prompts, and beside a usual batch it weighs nothing.
    """

    tokens: int
    work: dict[int, Work]
    copied_bytes: float
    places: tuple[int, ...]
    experts_places: tuple[int, ...]


def batch_of(shape: ModelShape, layout: Layout, tokens: int) -> Batch:
    """A batch of `tokens` tokens."""
    count, copied = shape.spread_layers, 0.0
    work = dict.fromkeys(range(HOST, layout.devices), Work())
    lie, experts_lie = layout.places(count), layout.experts_places(count)
    offloads = layout.devices > 0 and tokens >= OFFLOADED_FROM
    places, experts_places = (
        tuple(0 if offloads and one == HOST else one for one in found)
        for found in (lie, experts_lie)
    )
    share = routed_share(shape, tokens)
    for number, layer in enumerate(shape.read_layers):
        dense = layer.dense_bytes + layer.shared_expert_bytes
        routed, used = layer.expert_bytes * share, active_experts(shape, layer)
        recurrent = 1 if layer.recurrent_bytes else 0
        work[places[number]] += Work(dense_bytes=dense, recurrent=recurrent)
        experts = shape.experts * share if routed else 0
        work[experts_places[number]] += Work(routed_bytes=routed, token_bytes=used, experts=experts)
        copied += dense if places[number] != lie[number] else 0
        copied += routed if experts_places[number] != experts_lie[number] else 0
    # one row of logits: too few for a copy, so it is computed where it lies
    work[lie[count]] += Work(output_bytes=shape.output_bytes or shape.embedding_bytes)
    return Batch(tokens, work, copied, places, experts_places)


def routed_share(shape: ModelShape, tokens: int) -> float:
    """Of a layer's experts those that at least one token of a batch is routed to."""
    if not shape.experts:
        return 1.0
    return float(1 - (1 - shape.experts_used / shape.experts) ** tokens)

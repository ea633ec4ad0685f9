"""How fast a prompt is read, and when its first token comes.

A physical batch of tokens is computed where the weights lie: they are read once per batch, which
binds small ones (a batch of one token is decode), as arithmetic binds large ones. Those in host RAM
are copied to the first GPU instead, once per batch of 32 tokens or more: with large models that is
most of the time, and a larger batch the lever against it. Constants and their sources are in
catalog/speed.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.catalog import GpuRow, SpeedConstants
from boxwright.machine import Machine
from boxwright.plan.layout import HOST, Layout
from boxwright.plan.speed_batch import Batch, batch_of
from boxwright.plan.speed_decode import GIGA, GpuSpeed, HostSpeed, decoding_effort, launches_us
from boxwright.plan.speed_depth import attention_width
from boxwright.shapes import LayerShape, ModelShape

ONE_BY_ONE_FROM = 64  # tokens in a batch; below it all experts are one product on every card
USUAL_BITS = 4.8  # of a weight, where a file does not tell how many weights it holds


@dataclass(frozen=True)
class PrefillCard:
    """One card, and GB/s of its bus in one direction."""

    speed: GpuSpeed
    bus_gb_s: float

    @property
    def flops(self) -> float:
        """What it reaches in dense quantised products."""
        return self.speed.gb_s / 100 * self.speed.row.tflops_per_100_gb_s * 1e12


def prefill_tok_s(
    constants: SpeedConstants,
    machine: Machine,
    host: HostSpeed,
    cards: tuple[PrefillCard, ...],
    shape: ModelShape,
    layout: Layout,
    ubatch: int,
) -> tuple[float, float, float]:
    """(low, expected, high) over many batches, before attention grows with the prompt's length."""
    batch = batch_of(shape, layout, ubatch)
    compute_s = _compute_s(constants, machine, host, batch, cards, shape)
    seconds = [
        _copy_s(constants, batch, cards, host, index) + compute_s / constants.compute_share[index]
        for index in range(3)
    ]
    low, expected, high = (batch.tokens / max(one, 1e-9) for one in seconds)
    return low, expected, high


def first_token_s(
    constants: SpeedConstants,
    machine: Machine,
    cards: tuple[PrefillCard, ...],
    shape: ModelShape,
    tok_s: float,
    tokens: int,
) -> float:
    """Seconds to read a prompt: its batches, and attention of every token to those before it."""
    flops = cards[0].flops * constants.attention_share if cards else _host_flops(constants, machine)
    return tokens / tok_s + _attention_operations(shape, tokens) / flops


def _copy_s(
    constants: SpeedConstants,
    batch: Batch,
    cards: tuple[PrefillCard, ...],
    host: HostSpeed,
    index: int,
) -> float:
    """As the slower of memory and bus allows: a copy goes on while the next is read."""
    if not batch.copied_bytes:
        return 0.0
    memory_gb_s = host.theoretical_gb_s * constants.copy_memory_share[index]
    bus_gb_s = cards[0].bus_gb_s * constants.copy_bus_share[index]
    return batch.copied_bytes / GIGA / min(memory_gb_s, bus_gb_s)


def _compute_s(
    constants: SpeedConstants,
    machine: Machine,
    host: HostSpeed,
    batch: Batch,
    cards: tuple[PrefillCard, ...],
    shape: ModelShape,
) -> float:
    """Of all devices, one after another, and the launches of every layer."""
    rates = {HOST: (host.gb_s * GIGA, _host_flops(constants, machine))}
    for number, card in enumerate(cards):
        rates[number] = (card.speed.gb_s * card.speed.row.share * GIGA, card.flops)
    gpus = tuple(card.speed for card in cards)
    places = (batch.places, batch.experts_places)
    seconds = launches_us(constants, host, gpus, shape, *places) / 1e6
    for device, (bytes_s, flops) in rates.items():
        seconds += _weights_s(constants, shape, batch, device, bytes_s, flops)
    return seconds + sum(
        _steps_us(batch, number, card.speed.row) / 1e6 for number, card in enumerate(cards)
    )


def _weights_s(
    constants: SpeedConstants,
    shape: ModelShape,
    batch: Batch,
    device: int,
    bytes_s: float,
    flops: float,
) -> float:
    """Of one device: weights are read once and multiplied at the same time, so the slower counts.

    On GPUs few tokens for each expert do not hide its way out of memory: there both count.
    A batch takes no longer than its tokens would one by one, as decode computes them.
    """
    work, tokens = batch.work[device], batch.tokens
    effort, each = decoding_effort(constants, shape), 2 * 8 / _bits(shape) * tokens
    dense_s, routed_s, token_s = (
        size * effort / bytes_s for size in (work.dense_bytes, work.routed_bytes, work.token_bytes)
    )
    seconds = work.output_bytes * effort / bytes_s
    seconds += max(dense_s, min(work.dense_bytes * each / flops, dense_s * tokens))
    experts_s = work.token_bytes * each / flops
    if device == HOST:
        return seconds + max(routed_s, min(experts_s, token_s * tokens))
    experts_s /= _filled_share(constants, shape, tokens)
    return seconds + min(experts_s + work.routed_bytes / bytes_s, token_s * tokens)


def _steps_us(batch: Batch, device: int, row: GpuRow) -> float:
    """On a GPU: the steps of recurrent layers, whose tokens wait for each other, and the launches
    of each expert where llama.cpp multiplies them one by one.
    """
    work = batch.work[device]
    steps = work.recurrent * batch.tokens * row.token_us
    return steps + (work.experts * row.expert_us if batch.tokens >= ONE_BY_ONE_FROM else 0.0)


def _filled_share(constants: SpeedConstants, shape: ModelShape, tokens: int) -> float:
    """Of a GPU's dense rate, what products of experts reach with so few tokens for each."""
    if not shape.experts:
        return 1.0
    each = tokens * shape.experts_used / shape.experts
    filled = each / (each + constants.experts_half_tokens)
    return constants.experts_compute_share * filled


def _host_flops(constants: SpeedConstants, machine: Machine) -> float:
    return max(machine.cpu.cores, 1) * constants.core_gflops * GIGA


def _bits(shape: ModelShape) -> float:
    weight_bytes = shape.file_bytes - shape.skipped_bytes
    return 8 * weight_bytes / shape.parameters if shape.parameters and weight_bytes else USUAL_BITS


def _attention_operations(shape: ModelShape, tokens: int) -> float:
    """Two products with every token before, or those in the window; none in recurrent layers."""
    return 4.0 * attention_width(shape) * sum(_pairs(layer, tokens) for layer in shape.layers)


def _pairs(layer: LayerShape, tokens: int) -> float:
    if not layer.kv_elements_k:
        return 0.0
    window = min(layer.sliding_window or tokens, tokens)
    return window * (tokens - window / 2)

"""How fast a prompt is read, and when its first token comes.

A physical batch of tokens is computed where the weights lie. Those in host RAM are copied to the
first GPU instead, once per batch of 32 tokens or more, also where no layer lies on it
(reference/llama-cpp.md 4.3, llama.cpp pull 6083): with large models that is most of the time, and a
larger batch the lever against it. Constants and their sources are in catalog/speed.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.catalog import SpeedConstants
from boxwright.machine import Machine
from boxwright.plan.layout import HOST, Layout
from boxwright.plan.speed_decode import GIGA, GpuSpeed, HostSpeed, active_experts
from boxwright.plan.speed_depth import attention_width
from boxwright.shapes import LayerShape, ModelShape

OFFLOADED_FROM = 32  # tokens in a batch; below it the processor computes its experts itself
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


@dataclass(frozen=True)
class Batch:
    """What one physical batch costs: operations, experts' bytes that are read, how many experts are
    used and recurrent layers passed, by device and HOST; bytes copied to the first device.
    """

    tokens: int
    operations: dict[int, float]
    expert_bytes: dict[int, float]
    experts: dict[int, float]
    recurrent: dict[int, float]
    copied_bytes: float


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
    batch = _batch(constants, shape, layout, ubatch)
    seconds = [
        _copy_s(constants, batch, cards, host, index)
        + _compute_s(constants, machine, batch, cards) / constants.compute_share[index]
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


def _batch(constants: SpeedConstants, shape: ModelShape, layout: Layout, ubatch: int) -> Batch:
    operations = dict.fromkeys(range(HOST, layout.devices), 0.0)
    expert_bytes, used, recurrent = dict(operations), dict(operations), dict(operations)
    count, copied = shape.spread_layers, 0.0
    each = 2 * 8 / _bits(shape) * ubatch
    offloads = layout.devices > 0 and ubatch >= OFFLOADED_FROM
    places, experts_places = layout.places(count), layout.experts_places(count)
    for number, layer in enumerate(shape.read_layers):
        device, experts = places[number], experts_places[number]
        dense = layer.dense_bytes + layer.shared_expert_bytes
        routed = layer.expert_bytes * _routed_share(shape, ubatch)
        if device == HOST and offloads:
            copied += dense
            device = 0
        if experts == HOST and offloads:
            copied += routed
            experts = 0
        operations[device] += dense * each
        recurrent[device] += 1 if layer.recurrent_bytes else 0
        expert_bytes[experts] += routed
        used[experts] += shape.experts * _routed_share(shape, ubatch) if routed else 0
        share = 1.0 if experts == HOST else _filled_share(constants, shape, ubatch)
        operations[experts] += active_experts(shape, layer) * each / share
    return Batch(ubatch, operations, expert_bytes, used, recurrent, copied)


def _filled_share(constants: SpeedConstants, shape: ModelShape, ubatch: int) -> float:
    """Of a GPU's dense rate, what products of experts reach with so few tokens for each."""
    if not shape.experts:
        return 1.0
    tokens = ubatch * shape.experts_used / shape.experts
    filled = tokens / (tokens + constants.experts_half_tokens)
    return constants.experts_compute_share * filled


def _routed_share(shape: ModelShape, ubatch: int) -> float:
    """Of a layer's experts those that at least one token of a batch is routed to."""
    if not shape.experts:
        return 1.0
    return float(1 - (1 - shape.experts_used / shape.experts) ** ubatch)


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
    constants: SpeedConstants, machine: Machine, batch: Batch, cards: tuple[PrefillCard, ...]
) -> float:
    """Arithmetic; on GPUs also the experts' way out of memory, which few tokens do not hide, the
    launches of each where llama.cpp multiplies them one by one, and the steps of recurrent layers,
    whose tokens wait for each other.
    """
    seconds = batch.operations[HOST] / _host_flops(constants, machine)
    for number, card in enumerate(cards):
        gb_s = card.speed.gb_s * card.speed.row.share
        seconds += batch.operations[number] / card.flops
        seconds += batch.expert_bytes[number] / GIGA / gb_s
        seconds += batch.recurrent[number] * batch.tokens * card.speed.row.token_us / 1e6
        if batch.tokens >= ONE_BY_ONE_FROM:
            seconds += batch.experts[number] * card.speed.row.expert_us / 1e6
    return seconds


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

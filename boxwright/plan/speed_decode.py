"""Seconds for one decoded token, by what they are spent on.

A token moves the weights it needs once through the memory they lie in: dense parts and shared
experts wholly, of the routed experts `experts_used` of `experts`. Beside that every layer costs
launches, and one whose experts lie in host RAM two crossings of the bus and a start of the
processor's threads. Devices work one after another, so their times add up. The rates and their
sources are in catalog/speed.yaml; a context that is nearly empty is assumed, as llama-bench does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from boxwright.catalog import GpuRow, HostMemoryRow, ProcessorMemory, SpeedConstants
from boxwright.machine import Machine
from boxwright.plan.bandwidth import HostBandwidth, host_bandwidth, measured_gb_s
from boxwright.plan.layout import HOST, Layout
from boxwright.shapes import LayerShape, ModelShape

GIGA = 1e9
UNKNOWN_SOCKET_LINK_GB_S = 19.0  # the slowest of the catalogue
HOST_MEMORY = "host memory bandwidth"
HOST_CORES = "processor cores"
PLAIN_NORMS = 2
GPU_MEMORY = "GPU memory bandwidth"
LAUNCHES = "launches and bus crossings"


@dataclass(frozen=True)
class GpuSpeed:
    """One card: bandwidth in theory, and what its generation reaches."""

    gb_s: float
    row: GpuRow


@dataclass(frozen=True)
class HostSpeed:
    """GB/s at which the processor takes in weights, what limits it, and whether modules are known.

    Measured memory counts as known modules. `theoretical_gb_s` is of all channels together;
    `barrier_us` one wait of all cores for another.
    """

    gb_s: float
    theoretical_gb_s: float
    barrier_us: float
    modules_known: bool
    bound_by: str = HOST_MEMORY


def host_speed(machine: Machine, constants: SpeedConstants) -> HostSpeed:
    """What the memory and the cores of a machine allow; the lesser of both counts.

    A read test of all cores has both in it, so it takes the place of the theoretical figures.
    """
    found = host_bandwidth(machine, constants)
    family = next(one for one in constants.processors if re.search(one.pattern, machine.cpu.model))
    row = _memory_row(machine, constants, found, family)
    sockets, cores = max(machine.cpu.sockets, 1), max(machine.cpu.cores, 1)
    barrier_us = constants.barrier_us_per_core * cores * sockets
    read_gb_s = measured_gb_s(machine)
    if read_gb_s is not None:
        speed = _memory_gb_s(constants, family, read_gb_s * constants.measured_share, sockets)
        return HostSpeed(speed, found.total_gb_s, barrier_us, modules_known=True)
    most_gb_s = found.channels * (family.channel_gb_s or row.channel_gb_s or math.inf)
    all_gb_s = min(found.total_gb_s * row.share, most_gb_s)
    memory_gb_s = _memory_gb_s(constants, family, all_gb_s, sockets)
    cores_gb_s = cores * (family.core_gb_s or row.core_gb_s)
    bound = HOST_MEMORY if memory_gb_s <= cores_gb_s else HOST_CORES
    speed = max(min(memory_gb_s, cores_gb_s), 0.1)
    return HostSpeed(speed, found.total_gb_s, barrier_us, found.modules_known, bound)


def _memory_gb_s(
    constants: SpeedConstants, family: ProcessorMemory, all_gb_s: float, sockets: int
) -> float:
    """What one socket's channels give; with several, to all of them, the others over their link.

    Every socket reads its part of a tensor at the same time, so the slowest decides.
    """
    if sockets == 1:
        return all_gb_s
    link_gb_s = (family.link_gb_s or UNKNOWN_SOCKET_LINK_GB_S) * constants.link_share
    return min(all_gb_s / sockets, sockets * link_gb_s)


def _memory_row(
    machine: Machine, constants: SpeedConstants, found: HostBandwidth, family: ProcessorMemory
) -> HostMemoryRow:
    """The row of the memory's generation: as the modules tell, else as the processor's has it."""
    told = {dimm.type for dimm in machine.memory.dimms if dimm.type} & {
        row.memory for row in constants.host
    }
    memory = min(told) if told else family.memory
    channels = found.channels / max(machine.cpu.sockets, 1)
    return next(
        row
        for row in constants.host
        if row.memory == memory and (row.channels_to is None or channels <= row.channels_to)
    )


def active_bytes(shape: ModelShape, layout: Layout) -> dict[int, int]:
    """Bytes of weights that one token touches, by device and HOST (embeddings: a row, so none)."""
    found = dict.fromkeys(range(HOST, layout.devices), 0)
    count = shape.spread_layers
    places, experts_places = layout.places(count), layout.experts_places(count)
    for number, layer in enumerate(shape.read_layers):
        found[places[number]] += layer.dense_bytes + layer.shared_expert_bytes
        found[experts_places[number]] += active_experts(shape, layer)
    found[places[count]] += shape.output_bytes or shape.embedding_bytes
    return found


def active_experts(shape: ModelShape, layer: LayerShape) -> int:
    """Bytes of routed experts that one token touches in a layer."""
    if not shape.experts:
        return layer.expert_bytes
    return layer.expert_bytes * shape.experts_used // shape.experts


def decode_seconds(
    constants: SpeedConstants,
    host: HostSpeed,
    gpus: tuple[GpuSpeed, ...],
    shape: ModelShape,
    layout: Layout,
) -> dict[str, float]:
    """Seconds per token by what they are spent on."""
    active, count = active_bytes(shape, layout), shape.spread_layers
    places = (layout.places(count), layout.experts_places(count))
    effort = decoding_effort(constants, shape) / GIGA
    return {
        host.bound_by: active[HOST] * effort / host.gb_s,
        GPU_MEMORY: sum(
            active[number] * effort / (gpu.gb_s * gpu.row.share) for number, gpu in enumerate(gpus)
        ),
        LAUNCHES: launches_us(constants, host, gpus, shape, *places) / 1e6,
    }


def launches_us(
    constants: SpeedConstants,
    host: HostSpeed,
    gpus: tuple[GpuSpeed, ...],
    shape: ModelShape,
    places: tuple[int, ...],
    experts_places: tuple[int, ...],
) -> float:
    """What layers cost beside their weights, computed with their experts at these places."""
    total, before = 0.0, None
    for layer, device, experts in zip(shape.layers, places, experts_places, strict=False):
        if before is not None and device != before:
            total += constants.crossing_us
        before = device
        if device == HOST:
            total += constants.host_layer_us + constants.layer_barriers * host.barrier_us
        else:
            total += _layer_us(constants, gpus[device].row, layer)
        if device != HOST and layer.expert_bytes:
            routing = constants.host_routing if experts == HOST else 1.0
            total += gpus[device].row.experts_us * routing
            total += _crossing_us(constants, host) if experts == HOST else 0
    return total


def _crossing_us(constants: SpeedConstants, host: HostSpeed) -> float:
    """To the processor and back, and its threads' waits for each other between."""
    return constants.crossing_us + constants.experts_barriers * host.barrier_us


def _layer_us(constants: SpeedConstants, row: GpuRow, layer: LayerShape) -> float:
    """By the kind of attention; only plain attention keeps both K and V for every token.

    Its row is of two norms, one before each half; more of them and biases are kernels, too.
    Compressed caches keep K alone, in a window, and a state of what is being compressed.
    """
    if layer.kv_elements_k and not layer.kv_elements_v and layer.sliding_window is not None:
        return row.compressed_us
    if layer.recurrent_bytes or not layer.kv_elements_v:
        return row.recurrent_us
    more = constants.norm_share * (layer.norms - PLAIN_NORMS) + constants.bias_share * layer.biases
    return row.attention_us * (1 + more)


def decoding_effort(constants: SpeedConstants, shape: ModelShape) -> float:
    """How much longer weights of few bits take than their bytes: unpacking them is work too."""
    weight_bytes = shape.file_bytes - shape.skipped_bytes
    if not shape.parameters or weight_bytes <= 0:
        return 1.0
    return max(constants.weight_bits * shape.parameters / (8 * weight_bytes), 1.0)

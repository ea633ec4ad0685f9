"""Constants of the speed prediction, by memory, bus and generation, as speed.yaml holds them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from boxwright.catalog.types import STRICT

Share = Annotated[float, Field(gt=0, le=1)]
Interval = tuple[float, float, float]
FABRIC_CORES = 8  # of one die (AMD's core complex)


@dataclass(frozen=True, config=STRICT)
class ProcessorMemory:
    """Processors whose name has `pattern`: memory channels per socket, usual modules, TDP.

    `link_gb_s`: one direction between two sockets. `fabric_gb_s`: what FABRIC_CORES of it take in
    at most, where their way to the memory is narrower than fast modules.
    """

    pattern: str
    channels: int
    speed_mts: int
    memory: str
    tdp_w: int
    link_gb_s: float | None = None
    fabric_gb_s: float | None = None


@dataclass(frozen=True, config=STRICT)
class HostMemoryRow:
    """What one kind of memory delivers. `channels_to` is per socket; None: however many.

    `share` is of the theoretical figure, `core_gb_s` what one core can take in.
    """

    memory: str
    share: Share
    core_gb_s: float
    channels_to: int | None = None


@dataclass(frozen=True, config=STRICT)
class GpuRow:
    """What one generation of GPUs reaches.

    `share` of its bandwidth; µs that a layer costs beside its weights, by its kind of attention
    (plain; recurrent or latent; DeepSeek-V4's compressed one), and its routing to experts; TFLOP/s
    in dense products per 100 GB/s of bandwidth. `graphs`: whether launches come from CUDA graphs.
    """

    share: Share
    attention_us: float
    recurrent_us: float
    compressed_us: float
    experts_us: float
    tflops_per_100_gb_s: float
    graphs: bool = True


@dataclass(frozen=True, config=STRICT)
class PowerConstants:
    """What a computer takes beside its processors and cards."""

    board_w: float
    module_w: float
    supply_efficiency: Share


@dataclass(frozen=True, config=STRICT)
class SpeedConstants:
    """All of them; see the comments and sources in catalog/speed.yaml."""

    processors: tuple[ProcessorMemory, ...]
    host: tuple[HostMemoryRow, ...]
    link_share: Share
    weight_bits: float
    host_layer_us: float
    layer_barriers: int
    experts_barriers: int
    barrier_us_per_core: float
    crossing_us: float
    host_routing: Share
    gpus: dict[str, GpuRow]
    known: Interval
    unknown_modules: Interval
    copy_share: Interval
    compute_share: Interval
    experts_compute_share: float
    core_gflops: float
    power: PowerConstants

"""Constants of the speed prediction, by memory, bus and generation, as speed.yaml holds them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from boxwright.catalog.types import STRICT

Share = Annotated[float, Field(gt=0, le=1)]
Interval = tuple[float, float, float]


@dataclass(frozen=True, config=STRICT)
class ProcessorMemory:
    """Processors whose name has `pattern`: memory channels per socket, usual modules, TDP.

    `link_gb_s`: one direction between two sockets. `core_gb_s` of one core and `channel_gb_s` of
    one channel: where they are not as the memory's generation tells.
    """

    pattern: str
    channels: int
    speed_mts: int
    memory: str
    tdp_w: int
    link_gb_s: float | None = None
    core_gb_s: float | None = None
    channel_gb_s: float | None = None


@dataclass(frozen=True, config=STRICT)
class HostMemoryRow:
    """What one kind of memory delivers. `channels_to` is per socket; None: however many.

    `share` is of the theoretical figure, `core_gb_s` what one core can take in; `channel_gb_s` is
    what decode takes in per channel at most, however fast the modules.
    """

    memory: str
    share: Share
    core_gb_s: float
    channels_to: int | None = None
    channel_gb_s: float | None = None


@dataclass(frozen=True, config=STRICT)
class GpuRow:
    """What one generation of GPUs reaches, or one compute capability of it.

    `share` of its bandwidth; µs that a layer costs beside its weights, by its kind of attention
    (plain; recurrent or latent; DeepSeek-V4's compressed one), and its routing to experts; TFLOP/s
    in dense products per 100 GB/s of bandwidth. `graphs`: whether launches come from CUDA graphs.
    `expert_us` of each expert in a prompt's batch where llama.cpp multiplies them one by one;
    `token_us` of each token of a prompt in a recurrent layer; `reread` of each further reading of
    K and V in decode, as a share of one at full bandwidth.
    """

    share: Share
    attention_us: float
    recurrent_us: float
    compressed_us: float
    experts_us: float
    tflops_per_100_gb_s: float
    graphs: bool = True
    expert_us: float = 0.0
    token_us: float = 0.0
    reread: float = 0.0


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
    measured_share: Share
    link_share: Share
    weight_bits: float
    host_layer_us: float
    layer_barriers: int
    experts_barriers: int
    norm_share: Share
    bias_share: Share
    barrier_us_per_core: float
    crossing_us: float
    host_routing: Share
    gpus: dict[str, GpuRow]
    known: Interval
    unknown_modules: Interval
    copy_memory_share: Interval
    copy_bus_share: Interval
    compute_share: Interval
    experts_compute_share: Share
    experts_half_tokens: float
    attention_share: Share
    core_gflops: float
    cache_share: Share
    quantised_cache_share: Share
    core_attention_gflops: float
    power: PowerConstants

    def gpu_row(self, generation: str, compute_cap: str | None) -> GpuRow | None:
        """That of the chip's compute capability ("Ampere 8.0"), else of its generation."""
        return self.gpus.get(f"{generation} {compute_cap}") or self.gpus.get(generation)

"""The constants of the speed prediction that are fitted, and what physics expects of each.

No prior comes from a speed of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from boxwright.catalog import GpuRow, HostMemoryRow, SpeedConstants

# HBM feeds these faster than their slow clocks (1.3 to 1.8 GHz) can unpack quantised weights, most
# of all GP100, which has no dp4a
WIDE = {"Pascal 6.0": 0.35, "Ampere 8.0": 0.6, "Hopper": 0.6, "Blackwell 10.0": 0.6}


@dataclass(frozen=True)
class Constant:
    """One number of the constants, and what physics expects of it.

    A share divides seconds, so they are linear in its reciprocal; µs are added as they are.
    """

    name: str
    prior: float
    spread: float
    is_share: bool
    get: Callable[[SpeedConstants], float]
    put: Callable[[SpeedConstants, float], SpeedConstants]

    def term(self, value: float) -> float:
        """What seconds per token are linear in."""
        return 1 / value if self.is_share else value


def constants_of(start: SpeedConstants) -> list[Constant]:
    """What is fitted: share and routing of each generation of GPUs, shares of host memory."""
    found = []
    for name, row in start.gpus.items():
        wide = name in WIDE
        # copies and large matrix products stream 0.8 to 0.9 of a card's bandwidth
        found.append(_of_gpu(name, "share", WIDE.get(name, 0.8), 0.15))
        # ten to fourteen kernels at 3 to 4 µs from a graph; without graphs each costs a launch too
        found.append(_of_gpu(name, "experts_us", _us(row, wide, 30, 150), 0.5))
        # some ten kernels, and the ramps of seven products; where they are launched one by one,
        # most launches hide behind products
        found.append(_of_gpu(name, "attention_us", _us(row, wide, 40, 60), 0.35))
        # 20 to 30 kernels
        found.append(_of_gpu(name, "recurrent_us", _us(row, wide, 50, 180), 0.25))
    # read tests reach 80 to 94 % with up to four channels (62 to 63 of 68 GB/s on E5 v3 and v4,
    # McCalpin; dual DDR4 of 2133 to 3600 in guru3d's reviews); servers' with more about two thirds
    # (66 % on two EPYC 7452, ktransformers pull 2175)
    found.append(_of_host("up to 4 channels", lambda row: row.channels_to is not None, 0.88))
    found.append(_of_host("more channels", _is_server, 0.66))
    # two short copies and their waits; the barriers of the processor's threads are apart
    found.append(_of_all("crossing_us", 20, 0.35, is_share=False))
    # a line of cache goes from core to core in 100 ns on one die, in 200 between dies
    found.append(_of_all("barrier_us_per_core", 0.15, 0.35, is_share=False))
    # of read tests over the link, as of those of a socket's own channels
    found.append(_of_all("link_share", 0.90, 0.12, is_share=True))
    return found


def _us(row: GpuRow, wide: bool, graphs_us: float, launched_us: float) -> float:
    """What kernels cost: with graphs, twice that on slowly clocked chips; without graphs."""
    return (2 if wide else 1) * graphs_us if row.graphs else launched_us


def _of_all(field: str, prior: float, spread: float, is_share: bool) -> Constant:
    """A constant that is no row's."""

    def put(constants: SpeedConstants, value: float) -> SpeedConstants:
        return replace(constants, **{field: value})  # type: ignore[arg-type]

    def get(constants: SpeedConstants) -> float:
        return float(getattr(constants, field))

    return Constant(field, prior, spread, is_share, get, put)


def _is_server(row: HostMemoryRow) -> bool:
    """DDR5's has no point; see catalog/speed.yaml."""
    return row.channels_to is None and row.memory != "DDR5"


def _of_gpu(generation: str, field: str, prior: float, spread: float) -> Constant:
    is_share = field == "share"

    def put(constants: SpeedConstants, value: float) -> SpeedConstants:
        row: GpuRow = replace(constants.gpus[generation], **{field: value})  # type: ignore[arg-type]
        return replace(constants, gpus={**constants.gpus, generation: row})

    def get(constants: SpeedConstants) -> float:
        return float(getattr(constants.gpus[generation], field))

    return Constant(f"{generation}: {field}", prior, spread, is_share, get, put)


def _of_host(name: str, which: Callable[[HostMemoryRow], bool], prior: float) -> Constant:
    """One share for the memory generations: the points show no difference between them."""

    def put(constants: SpeedConstants, value: float) -> SpeedConstants:
        rows = (replace(row, share=value) if which(row) else row for row in constants.host)
        return replace(constants, host=tuple(rows))

    def get(constants: SpeedConstants) -> float:
        return next(row.share for row in constants.host if which(row))

    return Constant(name, prior, 0.12, True, get, put)

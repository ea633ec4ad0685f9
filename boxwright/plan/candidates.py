"""Layouts that are worth a try for a model on so many cards, the fastest first."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from boxwright.plan.layout import Layout, all_layers, first_layers
from boxwright.plan.measure import Measure
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape


@dataclass(frozen=True)
class Candidate:
    """A layout to try, and what `--n-gpu-layers` is given for it.

    If nothing fits, a refusal tells the memory of the one that is `told`.
    """

    layout: Layout
    gpu_layers: str | int
    told: bool = False


def candidates(
    shape: ModelShape, wanted: Wanted, devices: int, measure: Measure, least_layers: int
) -> Iterator[Candidate]:
    """Layouts to try, fastest first; with fewer than so many layers on cards hardly any."""
    everything, layers = all_layers(shape), shape.spread_layers
    if not devices:
        yield Candidate(Layout(0, 0), 0, told=True)
        return
    if wanted.server_n_cpu_moe is not None:
        on_host = first_layers(min(wanted.server_n_cpu_moe, layers))
        yield Candidate(Layout(devices, everything, on_host), "all", told=True)
        return
    if wanted.server_placement in ("auto", "gpu"):
        only = wanted.server_placement == "gpu"
        yield Candidate(Layout(devices, everything), "all", told=only)
        if only:
            return
    if shape.experts:
        on_host = first_layers(layers)
        yield Candidate(Layout(devices, everything, on_host), "all", told=True)
        if wanted.server_placement == "auto" and not wanted.server_moe_cache_mib:
            yield from _with_layers_on_host(shape, devices, measure, least_layers)
    else:
        for count in range(layers, max(least_layers, 1) - 1, -1):
            yield Candidate(Layout(devices, count), count)
        yield Candidate(Layout(devices, 0), 0, told=True)


def _with_layers_on_host(
    shape: ModelShape, devices: int, measure: Measure, least_layers: int
) -> Iterator[Candidate]:
    """Where cards cannot hold the context of all layers: some layers wholly in host RAM.

    A card must not keep a model from running that the host alone could run.
    """
    layers = shape.spread_layers

    def with_on_host(count: int) -> Layout:
        return Layout(devices, layers - count, first_layers(layers))

    def fewest(buffers_mib: int) -> int:
        return bisect_left(
            range(layers), True, key=lambda n: measure.room_mib(with_on_host(n)) >= buffers_mib
        )

    bare = fewest(0)
    if layers - bare < least_layers:
        return
    # buffers hardly change with the number of layers, so those of one layout stand for all
    devices_of_first = measure(with_on_host(bare)).devices
    first = fewest(sum(device.compute_mib for device in devices_of_first))
    for count in range(first, layers + 1 - least_layers):
        if not measure.host_may_fit(with_on_host(count)):
            return
        yield Candidate(with_on_host(count), layers - count)

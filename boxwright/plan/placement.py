"""Where a model's weights lie: on GPUs wholly, experts in host RAM, or on the processor.

Explicit and complete, since llama.cpp's own `--fit` stops checking once any of it is given
(reference/llama-cpp.md 3.3; design, decision 5).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from boxwright.plan import experts
from boxwright.plan.contradiction import contradiction
from boxwright.plan.layout import Layout, all_layers, first_layers
from boxwright.plan.measure import Measure
from boxwright.plan.results import MemoryPlan, Placement, Refusal
from boxwright.plan.splits import Rate, splits
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted
from boxwright.shapes import ModelShape

CLEARLY_FASTER = 1.05  # than a layout that leaves less to the host
FASTER = 1.01  # than another split of the same; below that the first, which uses cards alike


@dataclass(frozen=True)
class Placed:
    """A placement with its layout and what that costs; `fits` says whether all of it has room."""

    placement: Placement
    layout: Layout
    memory: MemoryPlan

    @property
    def fits(self) -> bool:
        """Whether every device and the host hold what is theirs."""
        return self.memory.fits

    def doubt(self, shape: ModelShape, wanted: Wanted) -> str | None:
        """What a person would want to know of it: that the context leaves layers in host RAM."""
        on_cards = self.layout.gpu_layers
        if self.layout.devices and not on_cards:
            return (
                "No layer lies on a card, since this host's memory decodes faster, or the cards are"
                " too small; they compute prompts."
            )
        if not (shape.experts and self.layout.devices and on_cards < all_layers(shape)):
            return None
        return (
            f"The cards hold {counted(wanted.server_context, 'token')} of context for"
            f" {max(on_cards - 1, 0)} of {counted(shape.spread_layers, 'layer')} only: the others"
            " run on the processor, slower the longer a conversation grows. A smaller"
            " server_context or server_cache_type brings them back."
        )


@dataclass(frozen=True)
class _Candidate:
    """A layout to try, and what `--n-gpu-layers` is given for it.

    If nothing fits, a refusal tells the memory of the one that is `told`.
    """

    layout: Layout
    gpu_layers: str | int
    told: bool = False


def decide(
    shape: ModelShape,
    wanted: Wanted,
    devices: int,
    measure: Measure,
    state: Sequence[int],
    rate: Rate,
) -> Placed | Refusal:
    """The fastest layout that fits; if none does, the last one.

    `measure` gives the memory of a layout, `state` the bytes of context that each layer keeps,
    `rate` the decode speed to expect. A refusal only for wishes that contradict each other.
    """
    wrong = contradiction(shape, wanted, devices)
    if wrong is not None:
        return wrong
    refused: Placed | None = None
    for candidate in _candidates(shape, wanted, devices, measure):
        if not candidate.told and not measure.may_fit(candidate.layout):
            continue
        tried = [
            _place(replace(candidate.layout, split=split), candidate, shape, wanted, measure)
            for split in splits(shape, wanted, candidate.layout, measure, state, rate)
        ]
        fitting = [one for one in tried if one.fits]
        if fitting:
            best = _best(fitting, shape, rate)
            return _or_experts_on_host(best, shape, wanted, measure, rate)
        if candidate.told:
            refused = tried[0]
    assert refused is not None
    return refused


def _best(fitting: Sequence[Placed], shape: ModelShape, rate: Rate) -> Placed:
    """The fastest of those that leave least to the host, or another that is clearly faster."""
    on_host = [experts.host_expert_bytes(one.layout, shape) for one in fitting]
    best = fitting[on_host.index(min(on_host))]
    best_rate = rate(best.layout) if len(fitting) > 1 else 0.0
    for one, left in zip(fitting, on_host, strict=True):
        needed = FASTER if left == min(on_host) else CLEARLY_FASTER
        if one is not best and rate(one.layout) > needed * best_rate:
            best, best_rate = one, rate(one.layout)
    return best


def _or_experts_on_host(
    best: Placed, shape: ModelShape, wanted: Wanted, measure: Measure, rate: Rate
) -> Placed:
    """The article's layout in its place where old cards would be slower than the host's memory."""
    free = wanted.server_placement == "auto" and wanted.server_n_cpu_moe is None
    if not (free and shape.experts and best.layout.devices):
        return best
    layout = replace(best.layout, experts_on_host=first_layers(len(shape.layers)))
    if rate(layout) <= CLEARLY_FASTER * rate(best.layout):
        return best
    other = Placed(experts.words(layout, "all", shape), layout, measure(layout))
    return other if other.fits else best


def _place(
    layout: Layout, candidate: _Candidate, shape: ModelShape, wanted: Wanted, measure: Measure
) -> Placed:
    """One layout with its words; of experts that may lie anywhere the cards take what they hold."""
    forced = wanted.server_n_cpu_moe
    if layout.experts_on_host and forced is None and wanted.server_placement == "auto":
        layout = experts.filled(layout, shape, measure)
    placement = experts.words(layout, candidate.gpu_layers, shape)
    if forced is not None:
        placement = replace(placement, cpu_moe=False, n_cpu_moe=forced, override_tensor=None)
    if layout.has_host_experts(shape):
        placement = replace(placement, moe_cache_mib=wanted.server_moe_cache_mib)
    return Placed(placement, layout, measure(layout))


def _candidates(
    shape: ModelShape, wanted: Wanted, devices: int, measure: Measure
) -> Iterator[_Candidate]:
    """Layouts to try, fastest first."""
    everything, layers = all_layers(shape), shape.spread_layers
    if not devices:
        yield _Candidate(Layout(0, 0), 0, told=True)
        return
    if wanted.server_n_cpu_moe is not None:
        on_host = first_layers(min(wanted.server_n_cpu_moe, layers))
        yield _Candidate(Layout(devices, everything, on_host), "all", told=True)
        return
    if wanted.server_placement in ("auto", "gpu"):
        only = wanted.server_placement == "gpu"
        yield _Candidate(Layout(devices, everything), "all", told=only)
        if only:
            return
    if shape.experts:
        on_host = first_layers(layers)
        yield _Candidate(Layout(devices, everything, on_host), "all", told=True)
        if wanted.server_placement == "auto" and not wanted.server_moe_cache_mib:
            yield from _with_layers_on_host(shape, devices, measure)
    else:
        for count in range(layers, -1, -1):
            yield _Candidate(Layout(devices, count), count, told=count == 0)


def _with_layers_on_host(shape: ModelShape, devices: int, measure: Measure) -> Iterator[_Candidate]:
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

    # buffers hardly change with the number of layers, so those of one layout stand for all
    devices_of_first = measure(with_on_host(fewest(0))).devices
    first = fewest(sum(device.compute_mib for device in devices_of_first))
    for count in range(first, layers + 1):
        if not measure.host_may_fit(with_on_host(count)):
            return
        yield _Candidate(with_on_host(count), layers - count)

"""Where a model's weights lie: on GPUs wholly, experts in host RAM, or on the processor.

Explicit and complete, since llama.cpp's own `--fit` stops checking once any of it is given
(reference/llama-cpp.md 3.3; design, decision 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from boxwright.plan import experts
from boxwright.plan.candidates import Candidate, candidates
from boxwright.plan.contradiction import contradiction
from boxwright.plan.layout import HOST, Layout, all_layers, first_layers
from boxwright.plan.measure import Measure
from boxwright.plan.results import MemoryPlan, Placement, Refusal
from boxwright.plan.splits import Rate, splits
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted
from boxwright.shapes import ModelShape

CLEARLY_FASTER = 1.05  # than a layout that makes more of the machine
FASTER = 1.01  # than another; below that the one that leaves less to the host, or the first


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
    for candidate in candidates(shape, wanted, devices, measure, 0):
        if not candidate.told and not measure.may_fit(candidate.layout):
            continue
        tried = [
            _place(replace(candidate.layout, split=split), candidate, shape, wanted, measure)
            for split in splits(shape, wanted, candidate.layout, measure, state, rate)
            if candidate.told or measure.may_fit_cards(replace(candidate.layout, split=split))
        ]
        fitting = [one for one in tried if one.fits]
        if fitting:
            return _fastest(fitting, shape, wanted, measure, rate)
        if candidate.told:
            refused = tried[0]
    assert refused is not None
    return refused


def holds(
    shape: ModelShape,
    wanted: Wanted,
    devices: int,
    measure: Measure,
    state: Sequence[int],
    rate: Rate,
    least_layers: int,
) -> bool:
    """Whether `decide` would find a layout that fits with so many layers on cards: asked for less,
    so answered sooner."""
    if contradiction(shape, wanted, devices) is not None:
        return False
    for candidate in candidates(shape, wanted, devices, measure, least_layers):
        layout = candidate.layout
        if layout.gpu_layers < least_layers or (devices and measure.room_mib(layout) < 0):
            continue
        if not candidate.told and not measure.host_may_fit(layout):
            continue
        for split in splits(shape, wanted, layout, measure, state, rate):
            cut = replace(layout, split=split)
            if not measure.devices_fit(cut):
                continue
            # experts go to cards only as far as these have room, and leave more in host RAM
            if measure(cut).fits or _place(cut, candidate, shape, wanted, measure).fits:
                return True
    return False


def _fastest(
    fitting: Sequence[Placed], shape: ModelShape, wanted: Wanted, measure: Measure, rate: Rate
) -> Placed:
    """The one that leaves least to the host, of those that are about as fast as the fastest.

    All are compared with the fastest, never one with another: whatever fits also fits where there
    is more memory, so that nothing gets slower there by more than one such difference.
    """
    worth = {one.layout: _worth(one.layout, shape, rate) for one in fitting}
    fastest = max(worth, key=lambda layout: worth[layout])
    other = _experts_on_host(fastest, shape, wanted)
    if other is not None and (its := _worth(other, shape, rate)) > worth[fastest]:
        placed = Placed(experts.words(other, "all", shape), other, measure(other))
        if placed.fits:
            fitting, worth[other] = [*fitting, placed], its
    enough = max(worth.values()) / FASTER
    near = [one for one in fitting if worth[one.layout] >= enough]
    return min(near, key=lambda one: experts.host_expert_bytes(one.layout, shape))


def _worth(layout: Layout, shape: ModelShape, rate: Rate) -> float:
    """Decode; it has to be clearly faster to leave a card empty that could hold experts."""
    working = {*layout.places(shape.spread_layers)} - {HOST}
    idle = layout.gpu_layers > 0 and len(working) < layout.devices
    some = bool(layout.experts_on_host) and not layout.all_experts_on_host(shape)
    return rate(layout) / (CLEARLY_FASTER if idle and some else 1.0)


def _experts_on_host(layout: Layout, shape: ModelShape, wanted: Wanted) -> Layout | None:
    """The article's layout, which is faster where the host's memory reads faster than old cards."""
    free = wanted.server_placement == "auto" and wanted.server_n_cpu_moe is None
    if not (free and shape.experts and layout.devices):
        return None
    return replace(layout, experts_on_host=first_layers(len(shape.layers)))


def _place(
    layout: Layout, candidate: Candidate, shape: ModelShape, wanted: Wanted, measure: Measure
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

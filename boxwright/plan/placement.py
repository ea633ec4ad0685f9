"""Where a model's weights lie: on GPUs wholly, experts in host RAM, or on the processor.

Explicit and complete, since llama.cpp's own `--fit` stops checking once any of it is given
(reference/llama-cpp.md 3.3; design, decision 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite

from boxwright.plan import experts
from boxwright.plan.balance import layers_per_device
from boxwright.plan.layout import Layout, all_layers, first_layers
from boxwright.plan.measure import Measure
from boxwright.plan.results import MemoryPlan, Placement, Refusal
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

MIB = 1024**2
CLEARLY_FASTER = 1.05  # than a layout that leaves less to the host
PLACEMENTS = ("auto", "gpu", "cpu-moe", "cpu")


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


Split = tuple[float, ...]
Rate = Callable[[Layout], float]


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
    wrong = _contradiction(shape, wanted, devices)
    if wrong is not None:
        return wrong
    placed: Placed | None = None
    candidates = list(_candidates(shape, wanted, devices))
    for layout, word in candidates:
        if layout != candidates[-1][0] and not measure.may_fit(layout):
            continue
        tried = [
            _place(replace(layout, split=split), word, shape, wanted, measure)
            for split in _splits(shape, wanted, layout, measure, state)
        ]
        fitting = [one for one in tried if one.fits]
        if fitting:
            best = min(fitting, key=lambda one: experts.host_expert_bytes(one.layout, shape))
            return _or_experts_on_host(best, shape, wanted, measure, rate)
        placed = tried[-1]
    assert placed is not None
    return placed


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
    layout: Layout, word: str | int, shape: ModelShape, wanted: Wanted, measure: Measure
) -> Placed:
    """One layout with its words; of experts that may lie anywhere the cards take what they hold."""
    forced = wanted.server_n_cpu_moe
    if layout.experts_on_host and forced is None and wanted.server_placement == "auto":
        layout = experts.filled(layout, shape, measure)
    placement = experts.words(layout, word, shape)
    if forced is not None:
        placement = replace(placement, cpu_moe=False, n_cpu_moe=forced, override_tensor=None)
    if layout.has_host_experts(shape):
        placement = replace(placement, moe_cache_mib=wanted.server_moe_cache_mib)
    return Placed(placement, layout, measure(layout))


def _contradiction(shape: ModelShape, wanted: Wanted, devices: int) -> Refusal | None:
    placement, split = wanted.server_placement, wanted.server_tensor_split
    if placement not in PLACEMENTS:
        return Refusal(
            f"server_placement is {placement!r}, needs one of {', '.join(PLACEMENTS)}",
            "correct server_placement",
        )
    if placement == "gpu" and not devices:
        return Refusal(
            "server_placement is 'gpu', and no NVIDIA card may be used here",
            "set server_placement to auto or cpu",
        )
    if split is not None and not _shares_of(split, devices):
        return Refusal(
            f"server_tensor_split is {split}, needs {devices} shares, one for each card that is"
            " used",
            "correct server_tensor_split, or leave it unset",
        )
    if wanted.server_n_cpu_moe is not None:
        return _wrong_n_cpu_moe(shape, wanted, devices)
    if placement == "cpu-moe" and not shape.experts and devices:
        return Refusal(
            f"server_placement is 'cpu-moe', and {wanted.model} has no experts",
            "set server_placement to auto",
        )
    return None


def _shares_of(split: Sequence[float], devices: int) -> bool:
    finite = all(isfinite(share) and share >= 0 for share in split)
    return len(split) == devices and finite and any(split)


def _wrong_n_cpu_moe(shape: ModelShape, wanted: Wanted, devices: int) -> Refusal | None:
    number, layers = wanted.server_n_cpu_moe or 0, len(shape.layers)
    if number < 0 or not shape.experts:
        return Refusal(
            f"server_n_cpu_moe is {number}, {wanted.model} has {layers} layers"
            f" ({shape.experts} experts in each)",
            "correct server_n_cpu_moe, or leave it unset",
        )
    if wanted.server_placement == "cpu-moe" and number < layers:
        return Refusal(
            f"server_n_cpu_moe is {number} of {layers} layers while server_placement is 'cpu-moe',"
            " which means all of them",
            "leave one of the two unset",
        )
    if wanted.server_placement in ("cpu", "gpu") or not devices:
        return Refusal(
            f"server_n_cpu_moe is {number} while server_placement is {wanted.server_placement!r}"
            f" and {devices} cards are used",
            "set server_placement to auto, or leave server_n_cpu_moe unset",
        )
    return None


def _candidates(
    shape: ModelShape, wanted: Wanted, devices: int
) -> Iterator[tuple[Layout, str | int]]:
    """Layouts to try, fastest first, and what `--n-gpu-layers` is given for each."""
    everything, layers = all_layers(shape), shape.spread_layers
    if not devices:
        yield Layout(0, 0), 0
        return
    if wanted.server_n_cpu_moe is not None:
        yield Layout(devices, everything, first_layers(min(wanted.server_n_cpu_moe, layers))), "all"
        return
    if wanted.server_placement in ("auto", "gpu"):
        yield Layout(devices, everything), "all"
    if wanted.server_placement == "gpu":
        return
    if shape.experts:
        yield Layout(devices, everything, first_layers(layers)), "all"
    else:
        for count in range(layers, -1, -1):
            yield Layout(devices, count), count


def _splits(
    shape: ModelShape, wanted: Wanted, layout: Layout, measure: Measure, state: Sequence[int]
) -> Iterator[Split]:
    """Shares of the devices to try: as wanted, else equal ones, else balanced by layers."""
    if layout.devices < 2 or not layout.gpu_layers:
        yield ()
        return
    if wanted.server_tensor_split is not None:
        yield tuple(float(share) for share in wanted.server_tensor_split)
        return
    equal = (1.0,) * layout.devices
    memory = measure(Layout(layout.devices, layout.gpu_layers, layout.experts_on_host, equal))
    if len({device.total_mib for device in memory.devices}) == 1:
        yield equal
    yield _balanced(shape, layout, memory, state)
    if layout.experts_on_host:
        yield _balanced(shape, layout, memory, state, _share_of_experts(layout, shape, memory))


def _share_of_experts(layout: Layout, shape: ModelShape, memory: MemoryPlan) -> float:
    """How much of the experts in host RAM the cards could take together."""
    room_mib = sum(max(device.total_mib - device.need_mib, 0) for device in memory.devices)
    on_host = experts.host_expert_bytes(layout, shape)
    return min(room_mib * MIB / max(on_host, 1), 1.0)


def _balanced(
    shape: ModelShape, layout: Layout, memory: MemoryPlan, state: Sequence[int], share: float = 0.0
) -> Split:
    """Whole numbers of layers per device, by what each layer weighs and keeps there.

    Of experts in host RAM each layer is given that share, so that all cards become full together.
    """
    count = shape.spread_layers
    weights = [
        layer.dense_bytes
        + layer.shared_expert_bytes
        + int(layer.expert_bytes * (share if number in layout.experts_on_host else 1.0))
        + state[number]
        for number, layer in enumerate(shape.layers)
    ]
    weights += [0] * (count - len(weights))  # layers that only draft are not loaded
    weights.append((shape.output_bytes or shape.embedding_bytes) + shape.other_bytes)
    return layers_per_device(weights[count + 1 - layout.gpu_layers :], memory)

"""MiB per device and on the host for one layout: weights, context, compute, and what is reserved.

`model_mib`, `context_mib` and `compute_mib` mean what `llama-fit-params -fitp on` prints
(design, section 3); what llama.cpp does not count is itemised beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.cards import UsedCard
from boxwright.plan.checkpoints import checkpoint_bytes
from boxwright.plan.context import ContextSize, state_bytes
from boxwright.plan.graph import compute_bytes, growth_bytes
from boxwright.plan.layout import HOST, Layout, shares
from boxwright.plan.results import DeviceMemory, HostMemory, MemoryPlan, Reserve
from boxwright.shapes import ModelShape

MIB = 1024**2
CUDA_CONTEXT_MIB = 300
MARGIN_MIB = 512
OS_RESERVE_MIB = 4096


def compute(
    shape: ModelShape,
    layout: Layout,
    size: ContextSize,
    cards: Sequence[UsedCard],
    host_total_mib: int,
    cache_ram_mib: int,
    buffers: bool = True,
    checkpoints: int = 0,
) -> MemoryPlan:
    """The memory of this layout on these cards (of known VRAM) and this host.

    Without `buffers` those for computing are left at 0. `checkpoints` is how many of them each
    sequence keeps.
    """
    parts = shares(shape, layout)
    context = _context_bytes(shape, layout, size)
    nothing = dict.fromkeys(range(HOST, layout.devices), 0)
    computed = compute_bytes(shape, layout, size) if buffers else nothing
    grown = growth_bytes(shape, layout, size) if buffers else nothing
    offloaded_mib = _op_offload_mib(shape, layout)
    if layout.devices and not layout.gpu_layers:
        # prompts are computed there, in the buffers that llama-fit-params counts for the host
        offloaded_mib += _mib(computed[HOST])
    devices = tuple(
        DeviceMemory(
            pci=card.gpu.pci,
            model_mib=_mib(parts[number].weight_bytes),
            context_mib=_mib(context[number]),
            compute_mib=_mib(computed[number]),
            reserve=Reserve(
                cuda_context_mib=CUDA_CONTEXT_MIB,
                op_offload_mib=offloaded_mib if number == 0 else 0,
                margin_mib=MARGIN_MIB + _mib(grown[number]),
            ),
            total_mib=card.vram_mib or 0,
        )
        for number, card in enumerate(cards)
    )
    host = HostMemory(
        model_mib=_mib(parts[HOST].weight_bytes),
        compute_mib=_mib(computed[HOST]),
        cache_mib=max(cache_ram_mib, 0),
        reserve_mib=os_reserve_mib(host_total_mib),
        total_mib=host_total_mib,
        context_mib=_mib(context[HOST]),
        checkpoints_mib=_mib(checkpoints * size.sequences * checkpoint_bytes(shape, size)),
        growth_mib=_mib(grown[HOST]),
    )
    return MemoryPlan(devices, host)


def os_reserve_mib(total_mib: int) -> int:
    """What the operating system keeps: 4 GiB, on small machines a sixteenth but at least 1 GiB."""
    return max(1024, min(OS_RESERVE_MIB, total_mib // 16))


def _context_bytes(shape: ModelShape, layout: Layout, size: ContextSize) -> dict[int, int]:
    found = dict.fromkeys(range(HOST, layout.devices), 0)
    places = layout.places(shape.spread_layers)
    for device, kept_bytes in zip(places, state_bytes(shape, size), strict=False):
        found[device] += kept_bytes
    return found


def _op_offload_mib(shape: ModelShape, layout: Layout) -> int:
    """Room for the largest expert tensor in host RAM, which prefill copies to the first GPU (4.3);
    0 where none is there."""
    places = layout.experts_places(shape.spread_layers)
    largest = max(
        (
            layer.largest_expert_tensor_bytes
            for layer, place in zip(shape.layers, places, strict=False)
            if place == HOST
        ),
        default=0,
    )
    return _mib(largest)


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // MIB)

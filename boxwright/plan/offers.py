"""What else the memory of a plan could be used for: options to set, and what each of them brings.

An offer is planned before it is made: one that would be refused, or would cost more speed than it
may, is not made, and its figures are those of the plan that setting the option gives. Making a plan
needs none of it, so only who shows plans asks for offers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan import moe_cache
from boxwright.plan.cards import select, vendor_of
from boxwright.plan.compare import as_fast, cost, kept, speeds
from boxwright.plan.fewer import fewer
from boxwright.plan.known import Known
from boxwright.plan.layout import Layout, all_layers
from boxwright.plan.make import make
from boxwright.plan.placement import CLEARLY_FASTER
from boxwright.plan.results import Plan, Refusal
from boxwright.plan.sizes import CONTEXT_STEP, leaves_ubatch
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

# with experts in host RAM prefill grows almost linearly up to these (reference/llama-cpp.md 3.5)
UBATCHES = (4096, 2048)
PARTS_OF_TRAINED = (1, 2, 4)  # of the context that a model was trained with
WORTH = 1.25  # times the prefill; a larger batch that brings less is not worth a word
MIB = 1024**2
CACHE_STEP_MIB = 256
PCIE_4_GTS = 16.0


@dataclass(frozen=True)
class _Ask:
    """What an offer rests on; `attempt` plans with wishes and gives None where they are refused."""

    machine: Machine
    wanted: Wanted
    shape: ModelShape
    usual: Plan
    attempt: Callable[[Wanted], Plan | None]


def with_offers(
    machine: Machine, catalog: Catalog, wanted: Wanted, known: Known, made: Plan
) -> Plan:
    """The plan that `make` made of the same, with its offers; none beside a refusal.

    They speak of speeds as predicted, also where the plan has a measured one.
    """
    if made.refusal is not None or made.memory is None or known.shape is None:
        return made
    predicted = replace(known, measured=None)
    usual = make(machine, catalog, wanted, predicted) if known.measured else made

    def attempt(other: Wanted) -> Plan | None:
        tried = make(machine, catalog, other, predicted)
        return None if tried.refusal else tried

    ask = _Ask(machine, wanted, known.shape, usual, attempt)
    found = (
        _placed_freely(ask),
        _without_slow_cards(ask, catalog),
        _larger_ubatch(ask),
        _expert_cache(ask),
        _more_context(ask),
    )
    return replace(made, offers=tuple(filter(None, found)))


def _placed_freely(ask: _Ask) -> str | None:
    """What a layout that was forced gives away."""
    wanted, before = ask.wanted, ask.usual.speed
    forced = wanted.server_placement in ("cpu-moe", "cpu")
    if before is None or not (forced or wanted.server_n_cpu_moe is not None):
        return None
    free = replace(wanted, server_n_cpu_moe=None, server_placement="auto")
    tried = ask.attempt(free)
    if tried is None or tried.speed is None:
        return None
    if tried.speed.decode_tok_s[1] <= CLEARLY_FASTER * before.decode_tok_s[1]:
        return None
    options = ["server_placement = auto"] if forced else []
    options += ["server_n_cpu_moe = None"] if wanted.server_n_cpu_moe is not None else []
    return f"{' and '.join(options)}: {speeds(before, tried.speed)}."


def _without_slow_cards(ask: _Ask, catalog: Catalog) -> str | None:
    """The first card computes what prompts need of host RAM: a slow one there slows all prompts.

    Where decode would not lose either the plan has left such cards out itself (`fewer`).
    """
    before, chosen = ask.usual.speed, select(ask.machine, catalog, ask.wanted)
    assert not isinstance(chosen, Refusal) and ask.usual.memory is not None
    work = {device.pci for device in ask.usual.memory.devices}
    used = tuple(card for card in chosen.used if card.gpu.pci in work)
    if before is None or not _copies(ask.usual) or ask.wanted.gpu_count is not None:
        return None
    for cards in fewer(used, catalog):
        left = {card.gpu.pci for card in chosen.driven} - {card.gpu.pci for card in cards}
        ignored = tuple(sorted(left | set(ask.wanted.ignore_gpus)))
        tried = ask.attempt(replace(ask.wanted, ignore_gpus=ignored))
        if tried is None or tried.speed is None or not kept(before, tried.speed):
            continue
        if tried.speed.prefill_tok_s[1] >= WORTH * before.prefill_tok_s[1]:
            names = "".join(f'"{pci}", ' for pci in ignored).rstrip()
            return f"ignore_gpus = ({names}): {speeds(before, tried.speed)}."
    return None


def _larger_ubatch(ask: _Ask) -> str | None:
    """Weights in host RAM are read, and with cards copied, once per physical batch."""
    before = ask.usual.speed
    if before is None or leaves_ubatch(ask.wanted) or not _copies(ask.usual):
        return None
    for ubatch in UBATCHES:
        if ubatch <= ask.wanted.server_ubatch:
            continue
        tried = ask.attempt(replace(ask.wanted, server_ubatch=ubatch))
        if tried is None or tried.speed is None or not kept(before, tried.speed):
            continue
        if tried.speed.prefill_tok_s[1] >= WORTH * before.prefill_tok_s[1]:
            return f"server_ubatch = {ubatch}: {speeds(before, tried.speed)}."
    return None


def _expert_cache(ask: _Ask) -> str | None:
    """VRAM that is free, for experts that were used last; not predicted, since hits are not.

    Less than what two tokens use would lose every expert before it is asked for again.
    """
    made = ask.usual
    if ask.wanted.server_moe_cache_mib is not None or not _experts_on_host(made):
        return None
    assert made.memory is not None and made.placement is not None
    if made.placement.gpu_layers != "all":
        return None
    devices = sorted(made.memory.devices, key=lambda device: device.pci)  # as CUDA counts them
    layout = Layout(len(devices), all_layers(ask.shape), split=made.placement.tensor_split or ())
    free = [device.total_mib - device.need_mib for device in devices]
    experts_mib = made.memory.host.model_mib - ask.shape.embedding_bytes // MIB
    mib = min(moe_cache.largest_mib(free, layout, ask.shape), experts_mib)
    mib = mib // CACHE_STEP_MIB * CACHE_STEP_MIB
    if mib < 2 * experts_mib * ask.shape.experts_used / ask.shape.experts:
        return None
    if ask.attempt(replace(ask.wanted, server_moe_cache_mib=mib)) is None:
        return None
    return (
        f"server_moe_cache_mib = {mib}: VRAM that is free keeps {mib / experts_mib:.0%} of the"
        " experts in host RAM, those used last. What it brings is not predicted: others measured a"
        " third to a half more decode and up to two thirds less prefill on PCIe 4.0 and 5.0"
        f"{_slow_bus(ask.machine)}; measure it with boxwright bench."
    )


def _more_context(ask: _Ask) -> str | None:
    """The context that the model was trained with, or half or a quarter of it."""
    wanted, trained = ask.wanted, ask.shape.context_train * ask.wanted.server_parallel
    for part in PARTS_OF_TRAINED:
        tokens = trained // part // CONTEXT_STEP * CONTEXT_STEP
        if not 0 < wanted.server_context < tokens:
            return None
        tried = ask.attempt(replace(wanted, server_context=tokens))
        if tried is None or not as_fast(ask.usual, tried):
            continue
        more = f"{tokens / wanted.server_context:.3g} times as much context fits too"
        return f"server_context = {tokens}: {more}, {cost(ask.usual, tried)}."
    return None


def _experts_on_host(made: Plan) -> bool:
    placed = made.placement
    return placed is not None and placed.host_expert_layers > 0


def _copies(made: Plan) -> bool:
    """Whether weights that prompts need lie in host RAM."""
    placed = made.placement
    return placed is not None and (placed.host_expert_layers > 0 or placed.gpu_layers != "all")


def _slow_bus(machine: Machine) -> str:
    speeds = [gpu.link_speed_gts for gpu in machine.gpus if vendor_of(gpu) == "NVIDIA"]
    slow = any(speed is not None and speed < PCIE_4_GTS for speed in speeds)
    return ", on PCIe 3.0 as here it may lose" if slow else ""

"""The part of a plan that is of the model: where it lies, whether there is room, how fast it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan import (
    alone,
    cache_kind,
    checks,
    graph,
    own_flags,
    own_variables,
    room,
    several,
    sizes,
    unsure,
)
from boxwright.plan.cards import Cards
from boxwright.plan.context import size_of
from boxwright.plan.draft import Draft
from boxwright.plan.known import Known, ModelChoice
from boxwright.plan.on_host import is_free
from boxwright.plan.place import Places
from boxwright.plan.placement import Placed
from boxwright.plan.results import MemoryPlan, Refusal
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted
from boxwright.shapes import ModelShape


@dataclass(frozen=True)
class Asked:
    """What this part of a plan follows from: `chosen` cards of a machine, a `choice` of a model."""

    machine: Machine
    catalog: Catalog
    wanted: Wanted
    known: Known
    chosen: Cards
    choice: ModelChoice


def add(draft: Draft, asked: Asked) -> Wanted:
    """Add placement, memory and speed, or say why there are none.

    Answers the wishes with the sizes that were left to the plan.
    """
    shape = _shape(draft, asked)
    if shape is None:
        return asked.wanted
    kind = cache_kind.decide(asked.wanted, shape)
    if isinstance(kind, Refusal):
        draft.refuse(kind)
        return asked.wanted
    wanted, note = kind
    draft.warn(*filter(None, [note]))
    asked = replace(asked, wanted=wanted)
    places = Places(asked.machine, asked.catalog, shape, asked.chosen)
    wanted, placed = sizes.decide(wanted, shape, places)
    if isinstance(placed, Refusal):
        draft.refuse(placed)
        return wanted
    draft.take("placement", placed.placement)
    draft.take("memory", _as_reported(placed.memory, asked.machine))
    doubted = None if asked.known.estimated else graph.doubt(shape, size_of(wanted))
    draft.warn(*filter(None, [doubted, placed.doubt(shape, wanted)]))
    draft.refuse(_Room(draft, asked, shape).lacking(placed, wanted))
    draft.refuse(checks.vram_free(asked.wanted, asked.chosen, placed.memory))
    expected, told = unsure.predict(
        asked.machine, asked.catalog, wanted, asked.known, placed.layout, asked.chosen.used
    )
    draft.take("speed", expected)
    draft.warn(*told, *_notes(wanted, shape, asked.choice))
    return wanted


def _shape(draft: Draft, asked: Asked) -> ModelShape | None:
    """The model's shape, if it and all that its memory is computed from are known."""
    wrong_sizes = checks.sizes(asked.wanted)
    unknown_vram = checks.vram_known(asked.chosen)
    for refusal in (checks.build_loads(asked.catalog, asked.wanted), wrong_sizes, unknown_vram):
        draft.refuse(refusal)
    if asked.known.shape is None:
        draft.refuse(
            Refusal(
                f"the tensors of {asked.choice.name} {asked.choice.quant} are not known, so"
                " nothing can be said of the memory it needs",
                "let the Hub answer (models_hub_url), or plan with --gguf",
            )
        )
    return asked.known.shape if wrong_sizes is None and unknown_vram is None else None


@dataclass(frozen=True)
class _Room:
    """Whether a model has room, on the cards, in the host's memory and on its disk."""

    draft: Draft
    asked: Asked
    shape: ModelShape

    def lacking(self, placed: Placed, wanted: Wanted) -> Refusal | None:
        """What there is too little of."""
        asked, to_fetch = self.asked, self.draft.plan.model
        row = asked.catalog.models[wanted.model]
        short = room.refusal(placed, self.shape, wanted, row, asked.choice.quant, self._fits)
        missing = checks.disk(asked.machine, wanted, to_fetch, asked.known) if to_fetch else None
        return several.both(short, missing)

    def _fits(self, wanted: Wanted, of: ModelShape | None = None) -> bool:
        """Whether other wishes, or another model, would have room; free to choose other cards."""
        asked, shape = self.asked, of or self.shape
        cards = asked.chosen
        if not is_free(asked.wanted):
            cards = alone.decide(asked.machine, asked.catalog, wanted, shape, cards)
        return Places(asked.machine, asked.catalog, shape, cards).holds(wanted)


def _notes(wanted: Wanted, shape: ModelShape, choice: ModelChoice) -> list[str]:
    """What a person should know of the sizes and of their own flags."""
    found = []
    if wanted.server_context > shape.context_train > 0:
        found.append(
            f"server_context is {wanted.server_context}, {choice.name} was trained with"
            f" {counted(shape.context_train, 'token')}."
        )
    found += own_flags.uncounted(wanted.server_extra_args)
    found += own_variables.uncounted(wanted.server_environment)
    if wanted.server_parallel > 1:
        found.append(
            f"{wanted.server_parallel} users share {counted(wanted.server_context, 'token')} of"
            f" context: {wanted.server_context // wanted.server_parallel} each."
        )
    return found


def _as_reported(made: MemoryPlan, machine: Machine) -> MemoryPlan:
    """The devices in the order of the report's GPUs; everything else counts them as CUDA does."""
    order = {gpu.pci: number for number, gpu in enumerate(machine.gpus)}
    devices = sorted(made.devices, key=lambda device: order[device.pci])
    return replace(made, devices=tuple(devices))

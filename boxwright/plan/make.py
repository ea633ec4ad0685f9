"""Joins the parts of a plan, in the order in which they rest on each other; stops at a refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Machine
from boxwright.plan import (
    alone,
    cache_kind,
    checkpoints,
    checks,
    driver,
    driver_installed,
    graph,
    model,
    own_flags,
    own_variables,
    room,
    runtime,
    server,
    several,
    sizes,
    tuning,
    unsure,
)
from boxwright.plan import cards as card_rules
from boxwright.plan.cards import Cards
from boxwright.plan.known import Known, ModelChoice
from boxwright.plan.place import Places
from boxwright.plan.placement import Placed
from boxwright.plan.results import MemoryPlan, Plan, Refusal
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted
from boxwright.shapes import ModelShape

T = TypeVar("T")


class _Draft:
    """A plan in the making: parts are added, and the first refusal is kept."""

    def __init__(self) -> None:
        self.plan = Plan()

    def take(self, name: str, part: T | Refusal) -> T | None:
        """Keep a part that was decided; a refusal is noted and gives None."""
        if isinstance(part, Refusal):
            self.refuse(part)
            return None
        parts: dict[str, Any] = {name: part}
        self.plan = replace(self.plan, **parts)
        return part

    def refuse(self, refusal: Refusal | None) -> None:
        """Note a refusal, if it is one and the first."""
        if refusal is not None and self.plan.refusal is None:
            self.plan = replace(self.plan, refusal=refusal)

    def warn(self, *sentences: str) -> None:
        """Add warnings."""
        self.plan = replace(self.plan, warnings=(*self.plan.warnings, *sentences))


def make(machine: Machine, catalog: Catalog, wanted: Wanted, known: Known) -> Plan:
    """Everything decided for one machine: pure and total.

    With `refusal` set nothing of it may be done; memory is given all the same where it could be
    computed, so that a person sees by how much it does not fit.
    """
    draft = _Draft()
    choice = model.choose_model(catalog, wanted)
    if isinstance(choice, Refusal):
        draft.refuse(choice)
        return draft.plan
    draft.take("model", model.decide(choice, wanted, known))
    draft.warn(*known.notes)
    distribution = checks.system(machine, catalog)
    if isinstance(distribution, Refusal):
        draft.refuse(distribution)
    chosen = card_rules.select(machine, catalog, wanted)
    if isinstance(chosen, Refusal):
        draft.refuse(chosen)
        return draft.plan
    if known.shape is not None:
        chosen = alone.decide(machine, catalog, wanted, known.shape, chosen)
    draft.warn(*chosen.warnings)
    if not isinstance(distribution, Refusal):
        _system(draft, machine, distribution, catalog, wanted, chosen)
    draft.take("tuning", tuning.decide(machine, wanted, len(chosen.used)))
    sized = _model(draft, machine, catalog, wanted, known, chosen, choice)
    seen = card_rules.seen_by(chosen, draft.plan.driver)
    _server(draft, catalog, sized, known, seen)
    return draft.plan


def _system(
    draft: _Draft,
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    chosen: Cards,
) -> None:
    """Driver, and the build that runs on it."""
    made = driver.decide(machine, distribution, catalog, wanted, chosen.driven)
    draft.take("driver", made)
    if isinstance(made, Refusal):
        return
    draft.warn(*driver_installed.warnings(machine, made))
    unknown = checks.capability_known(chosen)
    if unknown is not None:
        draft.refuse(unknown)
        return
    found = runtime.decide(machine, distribution, catalog, wanted, chosen.built_for, made)
    draft.take("runtime", found)


def _model(
    draft: _Draft,
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    known: Known,
    chosen: Cards,
    choice: ModelChoice,
) -> Wanted:
    """Where the model lies, what that costs, whether there is room, how fast it will be.

    Answers the wishes with the sizes that were left to the plan.
    """
    draft.refuse(checks.build_loads(catalog, wanted))
    draft.refuse(checks.sizes(wanted))
    unknown = checks.vram_known(chosen)
    draft.refuse(unknown)
    if known.shape is None:
        draft.refuse(
            Refusal(
                f"the tensors of {choice.name} {choice.quant} are not known, so nothing can be"
                " said of the memory it needs",
                "let the Hub answer (models_hub_url), or plan with --gguf",
            )
        )
        return wanted
    if unknown is not None or checks.sizes(wanted) is not None:
        return wanted
    shape = known.shape
    kind = cache_kind.decide(wanted, shape)
    if isinstance(kind, Refusal):
        draft.refuse(kind)
        return wanted
    wanted, note = kind
    draft.warn(*filter(None, [note]))

    forced = wanted.server_placement != "auto"

    def fits(wanted: Wanted, of: ModelShape = shape) -> bool:
        cards = alone.decide(machine, catalog, wanted, of, chosen) if forced else chosen
        return Places(machine, catalog, of, cards).holds(wanted)

    places, row = Places(machine, catalog, shape, chosen), catalog.models[wanted.model]

    def lacking(placed: Placed, wanted: Wanted) -> Refusal | None:
        short = room.refusal(placed, shape, wanted, row, choice.quant, fits)
        missing = (
            checks.disk(machine, wanted, draft.plan.model, known) if draft.plan.model else None
        )
        return several.both(short, missing)

    wanted, placed = sizes.decide(wanted, shape, places)
    if isinstance(placed, Refusal):
        draft.refuse(several.contradicted(placed, shape, wanted, places, lacking))
        return wanted
    draft.take("placement", placed.placement)
    draft.take("memory", _as_reported(placed.memory, machine))
    doubted = None if known.estimated else graph.doubt(shape)
    draft.warn(*filter(None, [doubted, placed.doubt(shape, wanted)]))
    draft.refuse(lacking(placed, wanted))
    draft.refuse(checks.vram_free(chosen, placed.memory))
    expected, told = unsure.predict(machine, catalog, wanted, known, placed.layout, chosen.used)
    draft.take("speed", expected)
    draft.warn(*told)
    if wanted.server_context > shape.context_train > 0:
        draft.warn(
            f"server_context is {wanted.server_context}, {choice.name} was trained with"
            f" {counted(shape.context_train, 'token')}."
        )
    draft.warn(*own_flags.uncounted(wanted.server_extra_args))
    draft.warn(*own_variables.uncounted(wanted.server_environment))
    if wanted.server_parallel > 1:
        draft.warn(
            f"{wanted.server_parallel} users share {counted(wanted.server_context, 'token')} of"
            f" context: {wanted.server_context // wanted.server_parallel} each."
        )
    return wanted


def _as_reported(made: MemoryPlan, machine: Machine) -> MemoryPlan:
    """The devices in the order of the report's GPUs; everything else counts them as CUDA does."""
    order = {gpu.pci: number for number, gpu in enumerate(machine.gpus)}
    devices = sorted(made.devices, key=lambda device: order[device.pci])
    return replace(made, devices=tuple(devices))


def _server(draft: _Draft, catalog: Catalog, wanted: Wanted, known: Known, chosen: Cards) -> None:
    """The arguments; without a part they spell out there are none."""
    plan = draft.plan
    if not (plan.runtime and plan.model and plan.placement and plan.tuning):
        return
    flags = known.flags_by_release.get(plan.runtime.release)
    draft.warn(*checkpoints.untold(known.shape, wanted, flags))
    decided = server.Decided(chosen, plan.runtime, plan.model, plan.placement, plan.tuning)
    draft.take("server", server.decide(catalog, wanted, known, decided))

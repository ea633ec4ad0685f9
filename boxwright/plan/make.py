"""Joins the parts of a plan, in the order in which they rest on each other."""

from __future__ import annotations

from dataclasses import replace

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Machine
from boxwright.plan import (
    alone,
    checkpoints,
    checks,
    driver,
    driver_installed,
    make_model,
    model,
    runtime,
    server,
    several,
    tuning,
)
from boxwright.plan import cards as card_rules
from boxwright.plan.cards import Cards
from boxwright.plan.cures import Cure
from boxwright.plan.draft import Draft
from boxwright.plan.known import Known
from boxwright.plan.make_model import Asked
from boxwright.plan.results import Plan, Refusal
from boxwright.plan.wanted import Wanted


def make(machine: Machine, catalog: Catalog, wanted: Wanted, known: Known) -> Plan:
    """Everything decided for one machine: pure and total.

    With `refusal` set nothing of it may be done; memory is given all the same where it could be
    computed, so that a person sees by how much it does not fit.
    """
    draft = Draft()
    _fill(draft, machine, catalog, wanted, known)
    if draft.curable is None:
        return draft.plan

    def after(cure: Cure) -> Refusal | None:
        return make(cure.machine(machine), catalog, cure.wanted(wanted), known).refusal

    return replace(draft.plan, refusal=several.told(draft.curable, after))


def _fill(draft: Draft, machine: Machine, catalog: Catalog, wanted: Wanted, known: Known) -> None:
    """All parts that can be decided, and why others cannot."""
    choice = model.choose_model(catalog, wanted)
    if isinstance(choice, Refusal):
        draft.refuse(choice)
        return
    draft.take("model", model.decide(choice, wanted, known))
    draft.warn(*known.notes)
    distribution = checks.system(machine, catalog)
    if isinstance(distribution, Refusal):
        draft.refuse(distribution)
    chosen = card_rules.select(machine, catalog, wanted)
    if isinstance(chosen, Refusal):
        draft.refuse(chosen)
        return
    if known.shape is not None:
        chosen = alone.decide(machine, catalog, wanted, known.shape, chosen)
    draft.warn(*chosen.warnings)
    if not isinstance(distribution, Refusal):
        _system(draft, machine, distribution, catalog, wanted, chosen)
    draft.take("tuning", tuning.decide(machine, wanted, len(chosen.used)))
    sized = make_model.add(draft, Asked(machine, catalog, wanted, known, chosen, choice))
    seen = card_rules.seen_by(chosen, draft.plan.driver)
    _server(draft, catalog, sized, known, seen)


def _system(
    draft: Draft,
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


def _server(draft: Draft, catalog: Catalog, wanted: Wanted, known: Known, chosen: Cards) -> None:
    """The arguments; without a part they spell out there are none."""
    plan = draft.plan
    if not (plan.runtime and plan.model and plan.placement and plan.tuning):
        draft.refuse(server.contradiction(wanted))
        return
    flags = known.flags_by_release.get(plan.runtime.release)
    draft.warn(*checkpoints.untold(known.shape, wanted, flags))
    decided = server.Decided(chosen, plan.runtime, plan.model, plan.placement, plan.tuning)
    draft.take("server", server.decide(catalog, wanted, known, decided))

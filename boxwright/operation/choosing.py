"""Which model a host is to have: the one its data names, or for "auto" the planner's choice.

A choice is made once per run and host, so that no later step of the run serves another model than
an earlier one fetched. Between runs it is the same, since it rests on what a host has in all and
never on what is free (boxwright/plan/choose.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.context import host

from boxwright import catalog, facts, plan, supply
from boxwright.catalog import Catalog
from boxwright.facts import ModelsState
from boxwright.machine import Machine
from boxwright.operation.options import endpoints_for_host
from boxwright.operation.recent import recently
from boxwright.plan.known import ModelChoice
from boxwright.plan.results import Refusal
from boxwright.plan.wanted import Wanted


@dataclass(frozen=True)
class Chosen:
    """The wishes with the model that is meant, its files' choice, and the model, resolved."""

    wanted: Wanted
    choice: ModelChoice
    model: supply.ResolvedModel
    stamps: ModelsState
    notes: tuple[str, ...] = ()


HUB_FAILURES = 3  # after which it counts as away; one or two may be a repository that changed

_settled: dict[tuple[str, ...], tuple[Wanted, tuple[str, ...]]] = {}


def chosen_for_host(machine: Machine, known_catalog: Catalog, wanted: Wanted) -> Chosen | Refusal:
    """This host's model with files and shape: from its own stamp, else from the Hub."""
    stamps = recently(facts.Models, directory=wanted.models_directory)
    settled = _settle(machine, known_catalog, wanted, stamps)
    if isinstance(settled, Refusal):
        return settled
    named, notes = settled
    choice = plan.choose_model(known_catalog, named)
    if isinstance(choice, Refusal):
        return choice
    model = supply.model_from_stamp(choice, stamps) or supply.model_from_hub(
        choice, endpoints_for_host()
    )
    if isinstance(model, supply.Failure):
        return Refusal(model.reason, model.cure)
    return Chosen(named, choice, model, stamps, notes)


def _settle(
    machine: Machine, known_catalog: Catalog, wanted: Wanted, stamps: ModelsState
) -> tuple[Wanted, tuple[str, ...]] | Refusal:
    """The wishes with a model's name, and what is to be said of the choice."""
    cards = (f"{gpu.pci} {gpu.id}" for gpu in machine.gpus)
    key = (host.name, repr(wanted), machine.cpu.model, *cards)
    if key in _settled:
        return _settled[key]

    failures = 0

    def resolve(choice: ModelChoice) -> plan.Known | None:
        """A Hub that keeps failing is not waited for for ever: then only stamps tell."""
        nonlocal failures
        found = supply.model_from_stamp(choice, stamps)
        if found is None and failures < HUB_FAILURES:
            asked = supply.model_from_hub(choice, endpoints_for_host())
            if isinstance(asked, supply.Failure):
                failures += 1
            else:
                found = asked
        return None if found is None else plan.Known(shape=found.shape)

    named = plan.settle(machine, known_catalog, wanted, resolve)
    if isinstance(named, Refusal):
        return named
    _settled[key] = (named, plan.note_on(machine, known_catalog, wanted, named))
    return _settled[key]


def catalog_for(wanted: Wanted) -> Catalog:
    """The catalog with the host's own rows; raises CatalogError for a row that cannot be meant."""
    return catalog.load_with(wanted.models_catalog, wanted.runtime_asset_rows)

"""`boxwright plan`: what would be done to each machine, and why not, if not; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from boxwright.cli.checkout import find_inventory
from boxwright.cli.outcome import DONE, FAILED, MISUSED, REFUSED, Sentence, show
from boxwright.cli.picture import picture_of
from boxwright.cli.reports import read_machines
from boxwright.cli.wishes import filled, overrides_from, wish_options
from boxwright.machine import Machine
from boxwright.plan.results import SCHEMA, Plan


@dataclass(frozen=True)
class Planned:
    """A machine and what was decided for it."""

    machine: Machine
    plan: Plan


@dataclass(frozen=True)
class PlanOutcome:
    """Plans by host, and why other hosts could not even be looked at."""

    hosts: Mapping[str, Planned]
    failed: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """1 if a host could not be probed, else 3 if one was refused, else 0."""
        if self.failed:
            return FAILED
        refused = any(planned.plan.refusal for planned in self.hosts.values())
        return REFUSED if refused else DONE

    def document(self) -> dict[str, Any]:
        """The plans by host (schema `boxwright.plan/1`), and why others have none."""
        from boxwright.plan import as_json

        hosts = {name: as_json(planned.plan) for name, planned in self.hosts.items()}
        return {"schema": SCHEMA, "hosts": hosts, "failed": dict(self.failed)}

    def picture(self) -> RenderableType:
        """A panel for each plan, then a line for each host without one."""
        panels = [picture_of(name, one.machine, one.plan) for name, one in self.hosts.items()]
        return Group(*panels, *(Text(f"{n}: {why}", "red") for n, why in self.failed.items()))


@click.command()
@click.argument("inventory", required=False)
@click.option(
    "--facts",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="A machine report instead of an inventory; may be given again.",
)
@click.option(
    "--gguf",
    callback=filled,
    metavar="PATH|URL",
    help="Plan for this model file (its first shard).",
)
@wish_options
@click.option("--json", "as_json_", is_flag=True, help="Print the plans as JSON.")
def plan(
    inventory: str | None,
    files: tuple[Path, ...],
    gguf: str | None,
    as_json_: bool,
    **given: Any,
) -> None:
    """Show what would be done to every host of INVENTORY, or to the machines of --facts FILE.

    Driver, build, model, where its weights lie, memory, flags, speed. Exit code 3 if a host is
    refused (the JSON is printed all the same), 1 if one could not be probed.
    """
    if bool(inventory) == bool(files):
        raise Sentence("name either one INVENTORY or --facts FILE (repeatable).", MISUSED)
    for option in ("model", "quant"):
        if gguf and given.get(option):
            raise Sentence(f"--{option} and --gguf exclude each other: give one of them.", MISUSED)
    overrides = overrides_from(given)
    if inventory:
        outcome = _plan_inventory(inventory, gguf, overrides)
    else:
        outcome = _plan_reports(files, gguf, overrides)
    show(outcome, as_json_)


def _plan_inventory(inventory: str, gguf: str | None, overrides: dict[str, Any]) -> PlanOutcome:
    from boxwright.cli.fleet import ask_hosts
    from boxwright.operation import (
        SILENT,
        is_silent,
        machine_of_host,
        plan_for_host,
        wanted_for_host,
    )

    if gguf:
        from boxwright.cli.source import plan_file

        def question() -> Planned:
            machine = machine_of_host()
            if is_silent(machine):
                return Planned(machine, Plan(refusal=SILENT))
            return Planned(machine, plan_file(machine, wanted_for_host(), gguf))
    else:

        def question() -> Planned:
            return Planned(machine_of_host(), plan_for_host(with_records=True, with_offers=True))

    answers = ask_hosts(find_inventory(inventory, None), question, Path.cwd(), overrides)
    return PlanOutcome(answers.by_host, answers.failed)


def _plan_reports(
    files: tuple[Path, ...], gguf: str | None, overrides: dict[str, Any]
) -> PlanOutcome:
    from boxwright.cli.source import plan_file, plan_named
    from boxwright.plan.wanted import WantedError, wanted_from

    try:
        wanted = wanted_from(overrides)
    except WantedError as error:
        raise Sentence(str(error), MISUSED) from error
    hosts, machines = {}, read_machines(files)
    if not machines:
        raise Sentence(f"{', '.join(map(str, files))}: no machine is reported there.", FAILED)
    for name, machine in machines.items():
        made = plan_file(machine, wanted, gguf) if gguf else plan_named(machine, wanted)
        hosts[name] = Planned(machine, made)
    return PlanOutcome(hosts, {})

"""`boxwright facts`: what the machines of an inventory are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from boxwright import catalog
from boxwright.cli.checkout import find_inventory
from boxwright.cli.outcome import DONE, FAILED, Sentence, show
from boxwright.cli.portrait import portrait_of
from boxwright.machine import Machine


@dataclass(frozen=True)
class FactsOutcome:
    """Machine reports by inventory name, and why the other hosts gave none."""

    machines: Mapping[str, Machine]
    failed: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """1 if a host could not be probed, else 0."""
        return FAILED if self.failed else DONE

    def document(self) -> dict[str, Any]:
        """The reports by host, and why others have none, as JSON types."""
        return {
            "schema": "boxwright.facts/1",
            "hosts": {name: machine.to_json() for name, machine in self.machines.items()},
            "failed": dict(self.failed),
        }

    def picture(self) -> RenderableType:
        """A portrait of each machine, then a line for each host without one."""
        constants = catalog.load().speed
        panels = [portrait_of(name, one, constants) for name, one in self.machines.items()]
        sad = [Text(f"{name}: {why}", style="red") for name, why in self.failed.items()]
        return Group(*panels, *sad)


@click.command()
@click.argument("inventory")
@click.option("--json", "as_json", is_flag=True, help="Print the machine reports as JSON.")
def facts(inventory: str, as_json: bool) -> None:
    """Probe every host of INVENTORY (a file, or a connector such as @local); change nothing."""
    from boxwright.cli.fleet import ask_hosts
    from boxwright.operation import SILENT, is_silent, machine_of_host

    def question() -> Machine:
        machine = machine_of_host()
        if is_silent(machine):
            raise Sentence(SILENT.sentence())
        return machine

    answers = ask_hosts(find_inventory(inventory, None), question, Path.cwd())
    show(FactsOutcome(answers.by_host, answers.failed), as_json)

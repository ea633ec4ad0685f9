"""`boxwright facts`: what the machines of an inventory are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from boxwright.cli.checkout import find_inventory
from boxwright.cli.outcome import DONE, FAILED, show
from boxwright.machine import Gpu, Machine


@dataclass(frozen=True)
class FactsOutcome:
    """Machine reports by inventory name, and why the other hosts gave none."""

    machines: Mapping[str, Machine]
    failed: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        return FAILED if self.failed else DONE

    def document(self) -> dict[str, Any]:
        return {
            "schema": "boxwright.facts/1",
            "hosts": {name: machine.to_json() for name, machine in self.machines.items()},
            "failed": dict(self.failed),
        }

    def picture(self) -> RenderableType:
        table = Table("host", "system", "processor", "memory", "graphics cards", "driver", "serves")
        for name, machine in self.machines.items():
            table.add_row(name, *_row(machine))
        sad = [Text(f"{name}: {why}", style="red") for name, why in self.failed.items()]
        return Group(table, *sad) if self.machines else Group(*sad)


def _row(machine: Machine) -> tuple[str, ...]:
    cpu = machine.cpu
    nodes = f", {len(machine.numa)} NUMA nodes" if len(machine.numa) > 1 else ""
    return (
        f"{machine.os.id} {machine.os.version_id}\n{machine.os.kernel}",
        f"{cpu.model}\n{cpu.sockets} x {cpu.cores // max(cpu.sockets, 1)} cores,"
        f" {cpu.threads} threads{nodes}",
        f"{machine.memory.total_mib / 1024:.0f} GiB",
        "\n".join(_card(gpu) for gpu in machine.gpus) or "none",
        machine.nvidia.loaded or machine.nvidia.installed or "none",
        f"{machine.llama.build or 'nothing'} ({machine.llama.service})",
    )


def _card(gpu: Gpu) -> str:
    memory = f", {gpu.vram_mib} MiB" if gpu.vram_mib else ""
    return f"{gpu.pci} {gpu.name or gpu.id}{memory} ({gpu.driver or 'no driver'})"


@click.command()
@click.argument("inventory")
@click.option("--json", "as_json", is_flag=True, help="Print the machine reports as JSON.")
def facts(inventory: str, as_json: bool) -> None:
    """Probe every host of INVENTORY (a file, or a connector such as @local); change nothing."""
    from boxwright.cli.fleet import ask_hosts
    from boxwright.operation import machine_of_host

    answers = ask_hosts(find_inventory(inventory, None), machine_of_host, Path.cwd())
    show(FactsOutcome(answers.by_host, answers.failed), as_json)

"""The demo's closing table: what each host of an inventory is now, read from the hosts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from boxwright import catalog, facts
from boxwright.cli.fleet import ask_hosts
from boxwright.machine import Machine
from boxwright.operation import machine_of_host


@dataclass(frozen=True)
class Seen:
    """One host's report and the speeds it has recorded, newest last."""

    machine: Machine
    records: tuple[Any, ...]


def look() -> Seen:
    """Ask the host of the moment."""
    from pyinfra.context import host

    return Seen(machine_of_host(), tuple(host.get_fact(facts.DecodeRecords)))


def cells(name: str, seen: Seen, known: catalog.Catalog) -> tuple[str, ...]:
    """One row: the generation is looked up by PCI id, all else is what the host said."""
    machine = seen.machine
    driver = " ".join(filter(None, (machine.nvidia.loaded, machine.nvidia.flavour)))
    last = seen.records[-1] if seen.records else None
    return (
        name,
        "\n".join(gpu.name or gpu.id for gpu in machine.gpus) or "none",
        "\n".join(known.gpu(gpu.id).generation for gpu in machine.gpus) or "-",
        driver or "-",
        machine.llama.build or "-",
        machine.llama.model or "-",
        f"{last.decode_tok_s:.1f}" if last else "-",
    )


def main(inventory: str) -> int:
    """Print the table; 1 if a host did not answer."""
    answers = ask_hosts(inventory, look, Path.cwd())
    table = Table("host", "GPU", "generation", "driver", "build", "model", "decode tok/s")
    known = catalog.load()
    for name, seen in answers.by_host.items():
        table.add_row(*cells(name, seen, known))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    for name, why in answers.failed.items():
        print(f"{name}: {why}", file=sys.stderr)
    return 1 if answers.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

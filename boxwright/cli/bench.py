"""`boxwright bench`: measure every host of an inventory, against prediction and earlier results."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from boxwright.cli.benched import Benched, BenchOutcome
from boxwright.cli.checkout import find_checkout, find_inventory
from boxwright.cli.outcome import show
from boxwright.cli.run import run_deploy
from boxwright.machine import Machine
from boxwright.plan.results import Speed

if TYPE_CHECKING:
    from boxwright.facts import BenchRecord

T = TypeVar("T")
DEPLOY = "deploy/bench.py"


@click.command()
@click.argument("inventory")
@click.option("--limit", multiple=True, help="Only this host or group; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("-v", "verbosity", count=True, help="Show facts (-v), commands (-vv), output (-vvv).")
def bench(inventory: str, limit: tuple[str, ...], as_json: bool, verbosity: int) -> None:
    """Measure the running server of every host of INVENTORY, and how fast its RAM is read.

    The same as `pyinfra INVENTORY deploy/bench.py -y`, and then a table. Results are kept on each
    host; from then on `boxwright plan INVENTORY` shows them in place of its prediction.
    """
    checkout = find_checkout()
    found = find_inventory(inventory, checkout)
    began_epoch_s = int(time.time())
    predicted = _asked(found, checkout, _predicted)
    outcome = run_deploy(found, DEPLOY, checkout, limit, verbosity)
    kept = _asked(found, checkout, _kept)
    hosts = {
        name: Benched.of(*kept[name], began_epoch_s, predicted.get(name)) if name in kept else None
        for name in outcome.hosts
    }
    show(BenchOutcome(outcome, hosts), as_json)


def _asked(inventory: str, checkout: Path, question: Callable[[], T]) -> dict[str, T]:
    """What the hosts answer; those that cannot be asked are told of by the run itself."""
    from boxwright.cli.fleet import ask_hosts

    return ask_hosts(inventory, question, checkout).by_host


def _predicted() -> Speed | None:
    """What a plan expects before anything is measured."""
    from boxwright.operation import plan_for_host

    return plan_for_host().speed


def _kept() -> tuple[tuple[BenchRecord, ...], Machine]:
    """What a host keeps of this run and of earlier ones."""
    from pyinfra.context import host

    from boxwright.facts import BenchRecords
    from boxwright.operation import machine_of_host

    return host.get_fact(BenchRecords), machine_of_host()

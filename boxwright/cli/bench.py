"""`boxwright bench`: measure every host of an inventory, against prediction and earlier results."""

from __future__ import annotations

import time
from pathlib import Path

import click

from boxwright.cli.benched import Benched, BenchOutcome
from boxwright.cli.checkout import find_checkout, find_inventory
from boxwright.cli.outcome import show
from boxwright.cli.run import run_deploy

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
    outcome = run_deploy(found, DEPLOY, checkout, limit, verbosity)
    hosts = _asked(found, checkout, began_epoch_s)
    show(BenchOutcome(outcome, {name: hosts.get(name) for name in outcome.hosts}), as_json)


def _asked(inventory: str, checkout: Path, began_epoch_s: int) -> dict[str, Benched]:
    """What each host keeps of this run, and what is predicted for it."""
    from pyinfra.context import host

    from boxwright.cli.fleet import ask_hosts
    from boxwright.facts import BenchRecords
    from boxwright.operation import machine_of_host, plan_for_host

    def question() -> Benched:
        records = host.get_fact(BenchRecords)
        return Benched.of(records, began_epoch_s, plan_for_host().speed, machine_of_host())

    return ask_hosts(inventory, question, checkout).by_host

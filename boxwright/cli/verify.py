"""`boxwright verify`: prove that every host of an inventory is as planned; change nothing."""

from __future__ import annotations

from dataclasses import replace

import click

from boxwright.cli.checkout import find_checkout, find_inventory
from boxwright.cli.outcome import FAILED, show
from boxwright.cli.run import run_deploy

DEPLOY = "deploy/verify.py"


@click.command()
@click.argument("inventory")
@click.option("--limit", multiple=True, help="Only this host or group; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print the account of the run as JSON.")
@click.option("-v", "verbosity", count=True, help="Show facts (-v), commands (-vv), output (-vvv).")
def verify(inventory: str, limit: tuple[str, ...], as_json: bool, verbosity: int) -> None:
    """Prove every host of INVENTORY: driver, tuning, model files, service; exit 1 if one fails."""
    checkout = find_checkout()
    found = find_inventory(inventory, checkout)
    outcome = run_deploy(found, DEPLOY, checkout, limit, verbosity)
    # a proof that does not hold speaks as a refusal, but here it is what was asked: a failure
    show(replace(outcome, refused_exit_code=FAILED), as_json)

"""`boxwright apply`: bring every host of an inventory to what its plan says, with pyinfra."""

from __future__ import annotations

import click

from boxwright.cli.checkout import find_checkout, find_inventory
from boxwright.cli.outcome import show
from boxwright.cli.run import run_deploy

DEPLOY = "deploy/all.py"


@click.command()
@click.argument("inventory")
@click.option("--limit", multiple=True, help="Only this host or group; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="Print the account of the run as JSON.")
@click.option("-v", "verbosity", count=True, help="Show facts (-v), commands (-vv), output (-vvv).")
def apply(inventory: str, limit: tuple[str, ...], as_json: bool, verbosity: int) -> None:
    """Bring every host of INVENTORY to its plan; the same as `pyinfra INVENTORY deploy/all.py -y`.

    It installs packages, downloads tens of GB, may reboot, and starts a server.
    """
    checkout = find_checkout()
    found = find_inventory(inventory, checkout)
    show(run_deploy(found, DEPLOY, checkout, limit, verbosity), as_json)

"""The `boxwright` command group; one module per verb, only registered here."""

from __future__ import annotations

import click

from boxwright.cli.apply import apply
from boxwright.cli.bench import bench
from boxwright.cli.explain import explain
from boxwright.cli.facts import facts
from boxwright.cli.plan import plan
from boxwright.cli.verify import verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="boxwright", prog_name="boxwright")
def main() -> None:
    """From a fresh OS to a box that serves a large mixture-of-experts model.

    Exit codes: 0 done, 1 a host failed, 2 the command could not be understood, 3 a host was refused
    (its plan does not work out; nothing on it was changed).
    """


main.add_command(explain)
main.add_command(facts)
main.add_command(plan)
main.add_command(apply)
main.add_command(verify)
main.add_command(bench)

if __name__ == "__main__":
    main()

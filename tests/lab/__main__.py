"""`python -m tests.lab up|down|status [--json]|reset HOST`: the lab's door."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict

from tests.lab import lifecycle
from tests.lab.hosts import HOSTS
from tests.lab.settings import Lab, current


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _status(lab: Lab, as_json: bool) -> None:
    rows = lifecycle.status(lab)
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    for row in rows:
        print(f"{row.host:<8} {row.state:<8} {row.user}@{row.address:<12} {row.base_url}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="bring up every host and server that is not up")
    verbs.add_parser("down", help="end all of it and remove every trace but the cache")
    status = verbs.add_parser("status", help="list the hosts and whether they run")
    status.add_argument("--json", action="store_true", help="as a JSON list")
    reset = verbs.add_parser("reset", help="give a host a fresh install; its model disk stays")
    reset.add_argument("host", choices=[spec.name for spec in HOSTS])
    return parser


def main() -> int:
    """Run one verb; exit status 1 with a sentence if it cannot be done."""
    asked = _parser().parse_args()
    lab = current()
    if asked.verb == "status":
        _status(lab, asked.json)
        return 0
    if os.geteuid() != 0:
        _say("the lab makes network namespaces and mounts: run it as root")
        return 1
    try:
        if asked.verb == "up":
            lifecycle.up(lab, _say)
        elif asked.verb == "down":
            lifecycle.down(lab, _say)
        else:
            lifecycle.reset(lab, asked.host, _say)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        _say(f"lab {lab.name}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One run of pyinfra as a subprocess, watched live, and an honest account of it.

pyinfra runs apart (reference/pyinfra.md, section 9), so that what `apply` does is exactly the
documented command. Its own exit code is 0 for an inventory that matched no host and 1, with nothing
on standard output, when the last host failed (pitfalls 7 and 8): both are told apart here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from boxwright.cli.outcome import DONE, FAILED, MISUSED, REFUSED, Sentence

REFUSAL = "boxwright refuses:"
SAID = re.compile(r"^\s*\[(?P<host>[^]]+)\]\s+(?P<text>.+)$")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class HostRun:
    """How the run went for one host. `state` is converged, changed, refused or failed.

    Refused means before anything on it was changed; a refusal after that is a failure. `changed`
    counts operations that changed something; `reason` is the refusal, or the last thing that was
    said of a host that failed.
    """

    state: str
    changed: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class RunOutcome:
    """An account of one pyinfra run over an inventory."""

    inventory: str
    deploy: str
    hosts: Mapping[str, HostRun]
    refused_exit_code: int = REFUSED

    @property
    def exit_code(self) -> int:
        """1 if a host failed, else 3 (or `refused_exit_code`) if one was refused, else 0."""
        states = {host.state for host in self.hosts.values()}
        if "failed" in states:
            return FAILED
        return self.refused_exit_code if "refused" in states else DONE

    def document(self) -> dict[str, Any]:
        """The account of the run by host, as JSON types."""
        hosts = {
            name: {"state": host.state, "changed": host.changed, "reason": host.reason}
            for name, host in self.hosts.items()
        }
        return {
            "schema": "boxwright.run/1",
            "inventory": self.inventory,
            "deploy": self.deploy,
            "hosts": hosts,
        }

    def picture(self) -> RenderableType:
        """What became of each host, then the reasons of those that failed or were refused."""
        colours = {"converged": "green", "changed": "green", "refused": "yellow", "failed": "red"}
        table = Table("host", "outcome", "operations that changed it")
        for name, host in self.hosts.items():
            table.add_row(name, Text(host.state, style=colours[host.state]), str(host.changed))
        why = [Text(f"{name}: {host.reason}") for name, host in self.hosts.items() if host.reason]
        return Group(table, *why)


@dataclass(frozen=True)
class _Watched:
    """What a run said: pyinfra's report, and from its log what happened to each host."""

    exit_code: int
    report: dict[str, Any] | None
    refused: Mapping[str, str]
    last_said: Mapping[str, str]
    changed: Mapping[str, int]


def run_deploy(
    inventory: str, deploy: str, checkout: Path, limit: Iterable[str] = (), verbosity: int = 0
) -> RunOutcome:
    """Run one deploy file over an inventory, pyinfra's progress going to standard error.

    Raises Sentence (exit 2) if no host was matched, (exit 1) if pyinfra itself broke off.
    """
    command = [sys.executable, "-m", "pyinfra", inventory, deploy, "-y", "--json"]
    for pattern in limit:
        command += ["--limit", pattern]
    if verbosity:
        command.append("-" + "v" * verbosity)
    watched = _watch(command, checkout)
    if watched.report is not None and not watched.report["plan"]:
        raise Sentence(
            f"no host of {inventory} was matched: nothing was done."
            " Name at least one host in it, and correct --limit if it was given.",
            MISUSED,
        )
    names = _names(watched)
    if not names:
        raise Sentence(f"pyinfra ended with exit code {watched.exit_code}; its last lines say why.")
    return RunOutcome(inventory, deploy, {name: _host_run(watched, name) for name in names})


def _watch(command: list[str], directory: Path) -> _Watched:
    refused: dict[str, str] = {}
    last_said: dict[str, str] = {}
    changed: Counter[str] = Counter()
    with tempfile.TemporaryFile("w+") as answer:
        running = subprocess.Popen(
            command, cwd=directory, stdout=answer, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        assert running.stderr is not None
        for line in running.stderr:
            click.echo(line, nl=False, err=True)
            found = SAID.match(ANSI.sub("", line.rstrip("\n")))
            if not found:
                continue
            name, text = found["host"], found["text"]
            last_said[name] = text
            changed[name] += text == "Success"
            if REFUSAL in text:
                refused.setdefault(name, text.split(REFUSAL, 1)[1].strip())
        exit_code = running.wait()
        answer.seek(0)
        printed = answer.read()
    report = json.loads(printed) if printed.strip() else None
    return _Watched(exit_code, report, refused, last_said, changed)


def _names(watched: _Watched) -> list[str]:
    """Every host of the run; without a report (all failed) those of which something was said."""
    if watched.report is None:
        return sorted(watched.last_said)
    results = watched.report["results"]
    in_operations = {
        name
        for operation in results["operations"]
        for name in (*operation["success"], *operation["no_change"], *operation["error"])
    }
    return sorted(in_operations | set(results["failed_hosts"]))


def _host_run(watched: _Watched, name: str) -> HostRun:
    changed = watched.changed.get(name, 0)
    if name in watched.refused:
        return HostRun("failed" if changed else "refused", changed, watched.refused[name])
    if watched.report is None or name in watched.report["results"]["failed_hosts"]:
        return HostRun("failed", changed, watched.last_said.get(name))
    return HostRun("changed" if changed else "converged", changed)

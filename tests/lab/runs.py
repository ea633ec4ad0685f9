"""Running the product on a lab as a user does: pyinfra as a subprocess, its report and its log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.hosts import host_named

if TYPE_CHECKING:
    from tests.lab.conftest import RunningLab

ROOT = Path(__file__).resolve().parents[2]
DEMO = "inventories/demo.py"
RUN_TIMEOUT_S = 900
BEGUN_WITHIN_S = 120.0
STEP_S = 0.05
REFUSAL = re.compile(r"\[(?P<host>[^]]+)\].*?boxwright refuses: (?P<sentence>.+)")

VARIANT = """\
\"\"\"The demo's hosts with other data for some of them.\"\"\"
import runpy as _runpy
_changes = {changes!r}
_all = _runpy.run_path({demo!r})["lab_hosts"]
lab_hosts = [
    (_name, {{**_data, **_changes.get(_name, {{}})}}) for _name, _data in _all if _name in {hosts!r}
]
"""


SPARE = """\
\"\"\"Spare hosts, with what the demo's hosts have in common, or all that one of them has.\"\"\"
import runpy as _runpy
_demo = _runpy.run_path({demo!r})
_common = dict(_demo["lab_hosts"]).get({like!r}, _demo["_common"])
lab_hosts = [(_name, {{**_common, **_data}}) for _name, _data in {hosts!r}.items()]
"""


@dataclass(frozen=True)
class Run:
    """One finished run: exit code, pyinfra's JSON report (None if it printed none), its log."""

    code: int
    report: dict[str, Any] | None
    log: str

    @property
    def totals(self) -> dict[str, int]:
        """Host x operation counts by outcome."""
        assert self.report is not None, self.log[-4000:]
        totals: dict[str, int] = self.report["results"]["totals"]
        return totals

    @property
    def failed(self) -> set[str]:
        """The hosts that failed; pyinfra prints no report when all did."""
        if self.report is None:
            return set(re.findall(r"\[([a-z0-9]+)\]", self.log))
        return set(self.report["results"]["failed_hosts"])

    @property
    def refusals(self) -> dict[str, str]:
        """The first refusal of each host that was refused."""
        said: dict[str, str] = {}
        for found in REFUSAL.finditer(self.log):
            said.setdefault(found["host"], found["sentence"])
        return said

    def changed(self, host: str) -> list[str]:
        """Names of the operations that changed this host."""
        assert self.report is not None, self.log[-4000:]
        operations = self.report["results"]["operations"]
        return [one["name"] for one in operations if host in one["success"]]


def environment(lab: RunningLab) -> dict[str, str]:
    """The process environment that makes the demo inventory read this lab."""
    own = {"BOXWRIGHT_LAB": lab.lab.name, "BOXWRIGHT_LAB_NUMBER": str(lab.lab.number)}
    return {**os.environ, **own, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def variant(
    directory: Path, changes: Mapping[str, Mapping[str, Any]], hosts: list[str] | None = None
) -> str:
    """An inventory of the demo's hosts (all, or those named) with changed data; its path."""
    path = directory / "variant.py"
    names = hosts or ["xeon", "ryzen", "pro6000", "plain"]
    text = VARIANT.format(changes=dict(changes), demo=str(ROOT / DEMO), hosts=names)
    path.write_text(text)
    return str(path)


def spares(
    lab: RunningLab, directory: Path, hosts: Mapping[str, Mapping[str, Any]], like: str = ""
) -> str:
    """An inventory of spare hosts, each with its own data beside the demo's; its path.

    `like` names a host of the demo whose data they have, else it is what all have in common.
    """
    path = directory / "spares.py"
    specs = {name: host_named(name) for name in hosts}
    data = {
        name: {"ssh_hostname": spec.address(lab.lab), "ssh_user": spec.user, **hosts[name]}
        for name, spec in specs.items()
    }
    path.write_text(SPARE.format(demo=str(ROOT / DEMO), hosts=data, like=like))
    return str(path)


def command(inventory: str, deploy: str, *more: str) -> list[str]:
    """The documented command, without questions, with a report."""
    group_data = ["--group-data", "inventories/group_data"]
    return [sys.executable, "-m", "pyinfra", *group_data, inventory, deploy, "-y", "--json", *more]


def run(
    lab: RunningLab,
    inventory: str = DEMO,
    deploy: str = "deploy/all.py",
    *more: str,
    timeout_s: float = RUN_TIMEOUT_S,
) -> Run:
    """Run one deploy to its end."""
    done = subprocess.run(
        command(inventory, deploy, *more),
        cwd=ROOT,
        env=environment(lab),
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    report = json.loads(done.stdout) if done.stdout.strip() else None
    return Run(done.returncode, report, done.stderr)


def run_killed_at(lab: RunningLab, marker: str, inventory: str, begun: Callable[[], bool]) -> bool:
    """Run deploy/all.py and kill it with SIGKILL when its log matches and then `begun` answers.

    With `-vv` pyinfra logs each command before it sends it, which is what markers are found in;
    `begun` tells whether the command shows on the host. Fails if the run ends without the marker.
    """
    with tempfile.NamedTemporaryFile() as log, tempfile.TemporaryFile() as nowhere:
        running = subprocess.Popen(
            command(inventory, "deploy/all.py", "-vv"),
            cwd=ROOT,
            env=environment(lab),
            stdout=nowhere,
            stderr=log,
        )
        said = Path(log.name)
        try:
            while running.poll() is None and not re.search(marker, said.read_text()):
                time.sleep(0.05)
            seen = running.poll() is None and _held_until(running, begun)
        finally:
            running.send_signal(signal.SIGKILL)
            code = running.wait()
        text = said.read_text()
    assert code == -signal.SIGKILL, f"the run ended ({code}) without {marker!r}:\n{text[-4000:]}"
    return seen


def _held_until(running: subprocess.Popen[bytes], begun: Callable[[], bool]) -> bool:
    """Let the run go on in short steps only, until `begun` answers yes; False if it does not.

    It is stopped while it is asked for, since a slow answer must not let it get past the role.
    """
    deadline = time.monotonic() + BEGUN_WITHIN_S
    while running.poll() is None and time.monotonic() < deadline:
        running.send_signal(signal.SIGSTOP)
        if begun():
            return True
        running.send_signal(signal.SIGCONT)
        time.sleep(STEP_S)
    return False

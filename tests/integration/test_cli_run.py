"""`boxwright apply` and `verify` around the real pyinfra: exit codes, accounts, live progress.

The checkout here is a small one of the test's own, with hosts of pyinfra's `@fake` connector, so
that every way a run can end is had at will.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEPLOY = """
from pyinfra.operations import server
server.shell(name="First step", commands=["first"])
server.shell(name="Second step", commands=["second"])
"""
NOTHING_TO_DO = """
from pyinfra.operations import files
files.directory(name="Have a directory", path="/there", present=False)
"""
REFUSED = {"success": False, "stderr": "boxwright refuses: has 1 MiB, needs 2 MiB. Cure: more."}
BROKEN = {"success": False, "stderr": "it broke"}
DEAD = ("dead", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for directory in ("deploy", "roles", "templates", "inventories/group_data"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "deploy/all.py").write_text(DEPLOY)
    (tmp_path / "deploy/verify.py").write_text(DEPLOY)
    (tmp_path / "inventories/group_data/all.py").write_text("fake_delay = fake_delay_jitter = 0\n")
    return tmp_path


def fake(name: str, **responses: Any) -> tuple[str, dict[str, Any]]:
    return f"@fake/{name}", {"fake_responses": responses}


def boxwright(checkout: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "boxwright.cli.main", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **env},
        capture_output=True,
        text=True,
        timeout=120,
    )


def run(checkout: Path, hosts: list[Any], verb: str = "apply", *more: str) -> tuple[int, Any, str]:
    (checkout / "inventories/it.py").write_text(f"hosts = {hosts!r}\n")
    done = boxwright(checkout, verb, "inventories/it.py", "--json", *more)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def states(account: Any) -> dict[str, str]:
    return {name: host["state"] for name, host in account["hosts"].items()}


def test_hosts_that_were_changed(checkout: Path) -> None:
    code, account, log = run(checkout, [fake("one"), fake("two")])
    assert code == 0
    assert account["hosts"]["@fake/one"] == {"state": "changed", "changed": 2, "reason": None}
    assert "Second step" in log, "progress goes to standard error"


def test_a_converged_host_is_called_so(checkout: Path) -> None:
    (checkout / "deploy/all.py").write_text(NOTHING_TO_DO)
    code, account, _ = run(checkout, [fake("one")])
    assert (code, states(account)) == (0, {"@fake/one": "converged"})


def test_one_refused_host_beside_a_healthy_one_is_exit_3(checkout: Path) -> None:
    code, account, log = run(checkout, [fake("small", first=REFUSED), fake("good")])
    assert code == 3
    assert states(account) == {"@fake/small": "refused", "@fake/good": "changed"}
    assert account["hosts"]["@fake/small"]["reason"] == "has 1 MiB, needs 2 MiB. Cure: more."
    assert "boxwright refuses" in log


def test_a_failed_host_outweighs_a_refused_one(checkout: Path) -> None:
    hosts = [fake("small", first=REFUSED), fake("broken", second=BROKEN), fake("good")]
    code, account, _ = run(checkout, hosts)
    assert code == 1
    assert account["hosts"]["@fake/broken"]["state"] == "failed"


def test_a_refusal_after_something_was_changed_is_a_failure(checkout: Path) -> None:
    code, account, _ = run(checkout, [fake("late", second=REFUSED), fake("good")])
    assert (code, states(account)["@fake/late"]) == (1, "failed")
    assert "needs 2 MiB" in account["hosts"]["@fake/late"]["reason"]


def test_all_hosts_refused_is_exit_3_although_pyinfra_prints_no_report(checkout: Path) -> None:
    code, account, _ = run(checkout, [fake("a", first=REFUSED), fake("b", first=REFUSED)])
    assert (code, set(states(account).values())) == (3, {"refused"})


def test_all_hosts_failed_is_exit_1(checkout: Path) -> None:
    code, account, _ = run(checkout, [fake("a", first=BROKEN)])
    assert (code, states(account)) == (1, {"@fake/a": "failed"})


def test_a_host_that_cannot_be_reached_fails_alone(checkout: Path) -> None:
    code, account, _ = run(checkout, [DEAD, fake("good")])
    assert code == 1
    assert states(account) == {"dead": "failed", "@fake/good": "changed"}


def test_only_dead_hosts_is_exit_1(checkout: Path) -> None:
    code, account, _ = run(checkout, [DEAD])
    assert (code, states(account)) == (1, {"dead": "failed"})


def test_verify_is_exit_1_where_a_proof_does_not_hold(checkout: Path) -> None:
    code, account, _ = run(checkout, [fake("a", first=REFUSED), fake("b")], "verify")
    assert (code, account["deploy"]) == (1, "deploy/verify.py")


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "inventories/nosuch.py"),
        ("apply", "inventories/empty.py"),
        ("apply", "inventories/two.py", "--limit", "nosuch"),
        ("facts", "inventories/nosuch.py"),
        ("facts", "inventories/empty.py"),
        ("plan",),
    ],
)
def test_what_cannot_be_understood_is_exit_2(checkout: Path, words: tuple[str, ...]) -> None:
    (checkout / "inventories/empty.py").write_text("hosts = []\n")
    (checkout / "inventories/two.py").write_text(f"hosts = {[fake('a'), fake('b')]!r}\n")
    done = boxwright(checkout, *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_outside_a_checkout_apply_says_how(tmp_path: Path) -> None:
    done = boxwright(tmp_path, "apply", "@local", BOXWRIGHT_HOME="")
    assert done.returncode == 2
    assert "BOXWRIGHT_HOME" in done.stderr

"""`boxwright facts` and `plan` on hosts whose probe prints something else: those fail, alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import ROOT, report

GOOD = json.dumps(report("xeon"))
ANSWERS: dict[str, Any] = {
    "good": f"Hello {{there}}\n{GOOD}\nbye",
    "noise": "Welcome!",
    "cut": GOOD[:-40],
    "other": json.dumps({"schema": "boxwright.machine/9"}),
    "field": json.dumps(report("xeon", cpu={"cores": "many"})),
    "fails": {"success": False},
    "empty": "",
}
SENTENCES = {
    "noise": "no machine report, it begins with 'Welcome!'",
    "cut": "damaged or cut short",
    "other": "its schema is not boxwright.machine/1",
    "field": "cpu.cores",
}


def asked(directory: Path, verb: str, *names: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and standard error of a verb on pretended hosts with these answers."""
    hosts = [
        (
            f"@fake/{name}",
            {
                "fake_delay": 0,
                "fake_delay_jitter": 0,
                "fake_responses": {"boxwright.machine/": ANSWERS[name]},
            },
        )
        for name in names
    ]
    inventory = directory / "hosts.py"
    inventory.write_text(f"hosts = {hosts!r}\n")
    done = subprocess.run(
        [sys.executable, "-m", "boxwright.cli.main", verb, str(inventory), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_host_that_prints_no_report_fails_alone_with_a_sentence(tmp_path: Path) -> None:
    code, answer, said = asked(tmp_path, "facts", *ANSWERS)
    assert code == 1
    assert set(answer["hosts"]) == {"@fake/good"}
    assert answer["hosts"]["@fake/good"]["hostname"] == "xeon"
    assert set(answer["failed"]) == {f"@fake/{name}" for name in ANSWERS if name != "good"}
    assert "printed no machine report" in answer["failed"]["@fake/empty"]
    lines = {line.split("]")[0].lstrip("[ "): line for line in said.splitlines() if "Fact" in line}
    for name, sentence in SENTENCES.items():
        assert sentence in lines[f"@fake/{name}"]
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["noise", "empty"])
def test_the_only_host_is_no_other_case(name: str, tmp_path: Path) -> None:
    """pyinfra gives up where no host is left, with a text that explains nothing."""
    code, answer, _ = asked(tmp_path, "facts", name)
    assert (code, answer["hosts"], set(answer["failed"])) == (1, {}, {f"@fake/{name}"})
    assert "No hosts remaining" not in answer["failed"][f"@fake/{name}"]


def test_no_plan_is_made_of_nothing(tmp_path: Path) -> None:
    code, answer, _ = asked(tmp_path, "plan", "empty", "noise")
    assert code in (1, 3)
    assert "no machine report" in answer["hosts"]["@fake/empty"]["refusal"]["reason"]
    assert set(answer["failed"]) == {"@fake/noise"}

"""One plan takes less than 50 ms in process, timed in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import plan_seconds
from tests.integration.plan_seconds import BOUND_S, CASES, Best


@pytest.fixture(scope="module")
def timed() -> dict[str, Best]:
    """The best of some plans and loops of each case; a second or two where nothing is slow."""
    done = subprocess.run(
        [sys.executable, "-m", plan_seconds.__name__],
        cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {case: Best(**figures) for case, figures in json.loads(done.stdout).items()}


@pytest.mark.parametrize(("name", "model"), CASES)
def test_one_plan_takes_little_time(timed: dict[str, Best], name: str, model: str) -> None:
    found = timed[f"{name} {model}"]
    assert found.usual_s() < BOUND_S, found


def test_a_plan_that_takes_longer_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best of all rounds is still too long when every plan is."""
    rounds = [(0.13, 0.06), *[(0.052, 0.0195), (0.051, 0.0195)] * 4]
    monkeypatch.setattr(plan_seconds, "_rounds", lambda *_: iter(rounds))
    found = plan_seconds.best("ryzen", "minimax-m2.7")
    assert found == Best(0.051, 0.0195)
    assert found.usual_s() >= BOUND_S

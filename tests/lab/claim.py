"""Whose a lab is: one run of tests claims it, and what an earlier run left there is told apart."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import lifecycle
from tests.lab.settings import Lab
from tests.lab.state import LOCKS, LabError


def kept() -> bool:
    """Whether labs stay up after a run of tests, for the next one to use as they are."""
    return os.environ.get("BOXWRIGHT_LAB_KEEP") == "1"


@contextmanager
def claimed(lab: Lab) -> Iterator[None]:
    """Hold a lab for this run of tests; raise LabError if another run, still alive, holds it."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with (LOCKS / f"boxwright-lab-{lab.name}.tests").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(
                f"another run of tests uses the lab {lab.name}: await its end, or set BOXWRIGHT_LAB"
                " and BOXWRIGHT_LAB_NUMBER to a name and a number of 2 to 27 of your own"
            ) from None
        yield


def mark(lab: Lab) -> None:
    """Note in a lab that is to be brought up that tests made it."""
    lab.state.mkdir(parents=True, exist_ok=True)
    _mark_of(lab).touch()


def left_over(lab: Lab) -> bool:
    """Whether a lab is what a run that was cut off left: its hosts are no fresh installs.

    Ask only with the lab claimed. One that was brought up by hand and runs is not.
    """
    if not lab.state.exists():
        return False
    runs = any(row.state == "running" for row in lifecycle.status(lab))
    return not runs or (_mark_of(lab).exists() and not kept())


def _mark_of(lab: Lab) -> Path:
    return lab.state / "made-by-tests"

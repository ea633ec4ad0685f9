"""Fixtures for tests on real hosts: one lab for the whole run, and what tests do with its hosts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import access, claim, document, lifecycle
from tests.lab.hosts import host_named
from tests.lab.runs import Run, run
from tests.lab.settings import Lab, current, lab_named

REBOOT_TIMEOUT_S = 180.0  # it takes 2 s; beside ten others on a busy machine far more


@dataclass(frozen=True)
class RunningLab:
    """A lab that is up; `document` is its lab.json."""

    lab: Lab
    document: dict[str, Any]

    def run(self, host: str, command: str) -> str:
        """What a shell command prints on a host; raises CalledProcessError if it fails."""
        return access.run(self.lab, host, command)

    def boot_id(self, host: str) -> str:
        """The id of the host's present boot."""
        return self.run(host, "cat /proc/sys/kernel/random/boot_id").strip()

    def reboot(self, host: str) -> None:
        """Reboot a host and wait for its next boot."""
        before = self.boot_id(host)
        self.run(host, "(sleep 0.2; sudo systemctl reboot) </dev/null >/dev/null 2>&1 &")
        deadline = time.monotonic() + REBOOT_TIMEOUT_S
        while time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                if self.boot_id(host) != before:
                    return
            except subprocess.SubprocessError:
                continue
        pytest.fail(f"{host} did not boot again within {REBOOT_TIMEOUT_S:.0f} s")

    def host_directory(self, host: str) -> Path:
        """Where the lab keeps this host on this machine (`models` in it is its model disk)."""
        return self.lab.state / "hosts" / host


def say(line: str) -> None:
    """Report the lab's progress; pytest shows it when a test fails, or with -s."""
    print(line, file=sys.stderr)


def lab_beside(name: str, place: int) -> Lab:
    """A lab for one module alone, by the run's own lab: two runs at once have two of them.

    `place` is 1 or 2, one for each such module; a run's number may go up to 27.
    """
    run_lab = lab_named(os.environ.get("BOXWRIGHT_LAB", "test"))
    return Lab(name=f"{run_lab.name}-{name}", number=198 + 2 * run_lab.number + place)


@contextmanager
def brought_up(lab: Lab) -> Iterator[RunningLab]:
    """A lab of fresh hosts for one run of tests, taken down at its end.

    One that was up before, by hand or kept by an earlier run, is used as it is and stays.
    """
    if os.geteuid() != 0:
        pytest.skip("the lab makes network namespaces and mounts, which needs root")
    with claim.claimed(lab):
        if claim.left_over(lab):
            lifecycle.down(lab, say)
        was_up = document.path(lab).exists()
        if not was_up:
            claim.mark(lab)
        try:
            lifecycle.up(lab, say)
            yield RunningLab(lab, document.read(lab))
        finally:
            if not was_up and not claim.kept():
                lifecycle.down(lab, say)


@pytest.fixture(scope="session")
def lab() -> Iterator[RunningLab]:
    """The lab that BOXWRIGHT_LAB names (default `test`), up for the whole run."""
    os.environ.setdefault("BOXWRIGHT_LAB", "test")
    with brought_up(current()) as running:
        yield running


@contextmanager
def fresh_spares(lab: RunningLab, names: Collection[str], to_serve: bool = False) -> Iterator[None]:
    """Boot these spare hosts fresh; end them again, since a machine bears some thirty hosts.

    The kernel gives each user 128 inotify instances by default, and a host takes four. Those that
    are `to_serve` get the compiled shaders as the lab's own hosts do.
    """
    specs = [host_named(name) for name in names]
    if to_serve:
        lifecycle.reset_all(lab.lab, specs, say)
    else:
        lifecycle.boot_fresh(lab.lab, specs, say)
    try:
        yield
    finally:
        lifecycle.halt(lab.lab, specs)


@pytest.fixture
def reset_host(lab: RunningLab) -> Callable[[str], None]:
    """Give a host a fresh install; its model disk stays."""

    def reset(host: str) -> None:
        lifecycle.reset(lab.lab, host, say)

    return reset


@pytest.fixture(scope="session")
def converged(lab: RunningLab) -> Run:
    """The run that brought the lab's hosts to their plan; tests leave them like that again."""
    return run(lab)

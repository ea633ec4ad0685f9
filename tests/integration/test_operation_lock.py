"""The host lock: one holder at a time, freed however its holder ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api import Config, State
from pyinfra.api.inventory import Inventory
from pyinfra.context import ctx_state

from boxwright.operation import lock

HOLDER = """
import subprocess, sys, time
kept = subprocess.Popen(["sh", "-c", sys.argv[1]], stdin=-1, stdout=-1, text=True)
print(kept.stdout.readline(), end="", flush=True)
time.sleep(60)
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The lock's command on a directory of this test."""
    text = lock.COMMAND.replace(lock.LOCKED_DIRECTORY, str(tmp_path))
    assert text != lock.COMMAND
    monkeypatch.setattr(lock, "COMMAND", text)
    monkeypatch.setattr(lock, "_holders", {})
    return text


@pytest.fixture
def other_run(command: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, command], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


def taken() -> bool:
    """What a run on this machine gets when it asks for the lock."""
    state = State(Inventory((["@local"], {})), Config())
    host = state.inventory.get_host("@local")
    with ctx_state.use(state):
        return lock.take_lock(state, host)


def test_a_run_holds_the_lock_once_and_keeps_it(command: str) -> None:
    assert taken()
    (holder,) = lock._holders.values()
    assert taken()
    assert list(lock._holders.values()) == [holder]


def test_a_second_run_is_refused_and_told_why(
    other_run: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert not taken()
    assert "another Boxwright run is changing this host" in caplog.text
    assert "Cure:" in caplog.text


def test_a_killed_run_blocks_nobody(other_run: subprocess.Popen[str]) -> None:
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.wait()
    deadline = time.monotonic() + 5
    while not taken():
        assert time.monotonic() < deadline, "the lock outlived its holder"
        time.sleep(0.05)


def test_the_lock_is_taken_anew_when_its_process_is_gone(command: str) -> None:
    """As after a reboot: the old holder is dead, the run goes on."""
    assert taken()
    (old,) = lock._holders.values()
    assert isinstance(old, lock._LocalHolder)
    assert old.process.stdin is not None
    old.process.stdin.close()
    old.process.wait(5)
    assert taken()
    (new,) = lock._holders.values()
    assert new is not old and new.alive()


class Channel:
    """One SSH channel of which the far end says these pieces, then nothing more."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.closed = list(pieces), False

    def recv(self, most: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def open_session(self, timeout: float) -> Channel:
        return self

    def exit_status_ready(self) -> bool:
        return False

    def get_transport(self) -> Channel:
        return self

    def settimeout(self, seconds: float) -> None: ...

    def exec_command(self, command: str) -> None: ...

    def is_active(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("pieces", "held"),
    [
        ((b"locked\n",), True),
        ((b"Welcome to box.\nYou have 3 updates.\n", b"lock", b"ed\n"), True),
        ((b"blocked\n",), False),
        ((), False),
        ((b"Welcome\n",), False),
        ((b"chatter\n" * 9000, b"locked\n"), False),
    ],
)
def test_a_login_shell_that_greets_is_not_another_run(
    pieces: tuple[bytes, ...], held: bool
) -> None:
    client = SimpleNamespace(get_transport=lambda: Channel(*pieces))
    host: Any = SimpleNamespace(connector=SimpleNamespace(client=client))
    assert lock._SshHolder(host).alive() is held


def test_nothing_is_written_for_the_lock(command: str, tmp_path: Path) -> None:
    assert taken()
    assert list(tmp_path.iterdir()) == []

"""What the lab remembers between commands: processes it started, its lock, its files' places."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.settings import Lab

MARKER = "BOXWRIGHT_LAB_STATE"
"""Environment variable of every process a lab starts; its value is the lab's state directory."""

LOCKS = Path("/run/lock")
KILL_TIMEOUT_S = 60.0


class LabError(RuntimeError):
    """The lab cannot do what was asked; the message says why."""


@dataclass(frozen=True)
class Process:
    """One process, told apart from a later one of the same pid by its start time (clock ticks)."""

    pid: int
    start_ticks: int

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return _start_ticks(self.pid) == self.start_ticks


def _start_ticks(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def process(pid: int) -> Process:
    """The process that has this pid now; raise LabError if there is none."""
    start = _start_ticks(pid)
    if start is None:
        raise LabError(f"process {pid} ended as soon as it was started")
    return Process(pid, start)


def stop(processes: list[Process], *, graceful_s: float = 0.0) -> None:
    """End exactly these processes: SIGTERM and a wait of `graceful_s`, then SIGKILL."""
    for number, wait_s in ((signal.SIGTERM, graceful_s), (signal.SIGKILL, KILL_TIMEOUT_S)):
        if number is signal.SIGTERM and not graceful_s:
            continue
        for one in processes:
            if one.alive:
                with suppress(ProcessLookupError):
                    os.kill(one.pid, number)
        deadline = time.monotonic() + wait_s
        while any(one.alive for one in processes) and time.monotonic() < deadline:
            time.sleep(0.01)
    for one in processes:
        _reap(one)
    left = [one.pid for one in processes if one.alive]
    if left:
        raise LabError(f"processes {left} did not end within {KILL_TIMEOUT_S:.0f} s of SIGKILL")


def _reap(one: Process) -> None:
    """Collect a dead child of ours; one that another `up` started belongs to init by now."""
    with suppress(ChildProcessError):
        os.waitpid(one.pid, os.WNOHANG)


def strays(lab: Lab) -> list[Process]:
    """Processes of this lab by their environment, also those a crash kept from being recorded."""
    wanted = f"{MARKER}={lab.state}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(process(int(entry.name)))
            except (OSError, LabError):
                continue
    return found


class Record:
    """The processes of one lab, kept in `state.json`; each change is on disk before it returns."""

    def __init__(self, lab: Lab) -> None:
        self._path = lab.state / "state.json"
        try:
            data = json.loads(self._path.read_text())
        except FileNotFoundError:
            data = {}
        self.hosts = {name: Process(**row) for name, row in data.get("hosts", {}).items()}
        self.servers = [Process(**row) for row in data.get("servers", [])]

    def save(self) -> None:
        """Write the record in one step."""
        part = self._path.with_suffix(".part")
        hosts = {name: asdict(one) for name, one in self.hosts.items()}
        servers = [asdict(one) for one in self.servers]
        part.write_text(json.dumps({"hosts": hosts, "servers": servers}, indent=1) + "\n")
        part.rename(self._path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` (made if missing); waits for another holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # `down` deletes the lock that we may have waited for: then there is a newer one.
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                yield
                return


def lock_of(lab: Lab) -> Path:
    """The lock that every command which changes this lab takes."""
    return LOCKS / f"boxwright-lab-{lab.name}.lock"


def host_dir(lab: Lab, host: str) -> Path:
    """Everything of one host: its root's upper layer, its hardware, its model disk, its console."""
    return lab.state / "hosts" / host

"""Service against a real process that listens; systemctl is a stand-in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from boxwright.facts import Service, ServiceState
from tests.unit.probing import PAIRS, run_script
from tests.unit.shell import write_program

SERVER = """
import ctypes, mmap, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
locked = mmap.mmap(-1, 2 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
start = ctypes.addressof(ctypes.c_char.from_buffer(locked))
assert libc.mlock(ctypes.c_void_p(start), ctypes.c_size_t(2 << 20)) == 0
shared = mmap.mmap(-1, 5 << 20)
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], 0), family=family)
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    status = b"503" if client.recv(4096).startswith(b"GET /health ") else b"404"
    client.sendall(b"HTTP/1.1 " + status + b" No\\r\\nContent-Length: 0\\r\\n\\r\\n")
    client.close()
"""

SYSTEMCTL = """cat <<'END'
LoadState=loaded
ActiveState=active
SubState=running
Result=success
MainPID={pid}
NeedDaemonReload=yes
UnitFileState=enabled
ExecMainStartTimestampMonotonic=1234500000
END"""


@dataclass(frozen=True)
class Running:
    """A process that listens on a port."""

    pid: int
    port: int


def listen(address: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, "-IS", "-c", SERVER, address],
        stdout=subprocess.PIPE,
        env={**os.environ, "BOXWRIGHT_CONFIG": "digest of the arguments"},
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Running(process.pid, int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A server on IPv4 loopback."""
    yield from listen("127.0.0.1")


def ask(
    scratch: Path, port: int, shell: list[str] | None = None, awk: list[str] | None = None
) -> ServiceState:
    command = f"PATH={scratch}/bin:$PATH\n" + Service().command(port=port)
    text = run_script([*(shell or ["sh"]), "-c", command], awk, scratch)
    return Service().process(text.splitlines())


def test_the_running_service_is_read(running: Running, tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "systemctl", SYSTEMCTL.format(pid=running.pid))
    state = ask(tmp_path, running.port)
    assert (state.active_state, state.sub_state, state.result) == ("active", "running", "success")
    assert state.main_pid == running.pid
    assert state.need_daemon_reload and state.enabled and state.loaded
    assert state.started_monotonic_s == 1234.5
    assert state.config_digest == "digest of the arguments"
    assert state.exe == os.path.realpath(sys.executable)
    assert state.vm_lck_mib == 2.0
    assert state.vm_rss_mib > 2
    assert state.mapped_zero_mib == 5.0 and state.mapped_device_mib == 0
    assert state.port_owner == (running.pid, "python")
    assert state.health_status == 503


def test_limit_and_capability_are_the_processs_own(running: Running, tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "systemctl", SYSTEMCTL.format(pid=running.pid))
    state = ask(tmp_path, running.port)
    limits = Path(f"/proc/{running.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max locked memory")]
    assert state.memlock_limit == line.split()[3]
    status = Path(f"/proc/{running.pid}/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if "CapEff" in line)
    assert state.cap_ipc_lock == bool(int(effective, 16) & 1 << 14)


@pytest.mark.parametrize(
    ("bits", "expected"), [("0000000000004000", True), ("00000000ffffbfff", False)]
)
def test_cap_ipc_lock_is_bit_14(bits: str, expected: bool) -> None:
    assert Service().process([f"status\tCapEff\t{bits}"]).cap_ipc_lock is expected


@pytest.mark.parametrize(("shell", "awk"), PAIRS)
def test_every_shell_and_awk_reads_the_same(
    shell: list[str], awk: list[str] | None, running: Running, tmp_path: Path
) -> None:
    write_program(tmp_path / "bin" / "systemctl", SYSTEMCTL.format(pid=running.pid))
    state = ask(tmp_path, running.port, shell, awk)
    assert state.port_owner == (running.pid, "python") and state.health_status == 503
    assert (state.vm_lck_mib, state.mapped_zero_mib) == (2.0, 5.0)


def test_a_port_held_by_another_process_is_seen(running: Running, tmp_path: Path) -> None:
    write_program(
        tmp_path / "bin" / "systemctl",
        "echo ActiveState=inactive; echo MainPID=0; echo LoadState=not-found",
    )
    state = ask(tmp_path, running.port)
    assert (state.main_pid, state.active_state, state.loaded) == (0, "inactive", False)
    assert state.port_owner == (running.pid, "python")
    assert state.config_digest is None and state.exe is None


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "::1", "127.0.0.9"])
def test_a_server_is_asked_where_it_listens(address: str, tmp_path: Path) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.bind((address, 0))
    except OSError:
        pytest.skip(f"this machine cannot listen on {address}")
    for server in listen(address):
        state = ask(tmp_path, server.port)
        assert state.port_owner == (server.pid, "python")
        assert state.health_status == 503


def test_nothing_listens_and_there_is_no_systemd(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, but it does not listen
        write_program(
            tmp_path / "bin" / "systemctl",
            "echo 'System has not been booted with systemd' >&2; exit 1",
        )
        assert ask(tmp_path, held.getsockname()[1]) == ServiceState()


def test_a_process_that_is_gone_leaves_its_fields_empty(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "systemctl", SYSTEMCTL.format(pid=4194305))
    state = ask(tmp_path, 1)
    assert state.main_pid == 4194305 and state.config_digest is None
    assert (state.vm_lck_mib, state.memlock_limit) == (0.0, "")


def test_pages_mapped_from_the_driver_are_counted_by_their_addresses(tmp_path: Path) -> None:
    """/proc/PID/maps as a CUDA process has it; managed memory (nvidia-uvm) is not pinned."""
    lines = [
        "200000000-200200000 rw-s 00000000 00:06 1052 /dev/nvidiactl",
        "7f3182a92000-7f7182a92000 rw-s 00000000 00:06 1052 /dev/nvidia0",
        "10000000000-10004000000 rw-s 00000000 00:06 1055 /dev/nvidia-uvm",
        "7f0000000000-7f0000100000 rw-s 00000000 00:01 9 /dev/zero (deleted)",
        "55e53c90d000-55e53c90e000 r--p 00000000 00:20 470708 /usr/bin/nvidia-thing",
    ]
    proc = tmp_path / "proc" / "7"
    proc.mkdir(parents=True)
    (proc / "maps").write_text("\n".join(lines) + "\n")
    for name in ("status", "limits", "environ"):
        (proc / name).write_text("")
    write_program(tmp_path / "bin" / "systemctl", "echo MainPID=7")
    command = Service().command(port=1).replace("/proc/", f"{tmp_path}/proc/")
    text = run_script(["sh", "-c", f"PATH={tmp_path}/bin:$PATH\n{command}"], None, tmp_path)
    state = Service().process(text.splitlines())
    assert state.mapped_device_mib == 2 + 256 * 1024
    assert state.mapped_zero_mib == 1

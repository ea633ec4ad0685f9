"""The host lock: two runs never change one host at the same time, and a killed run blocks nobody.

The lock is a flock(2) held by a process on the host whose standard input is a channel of this very
run. When the run ends, however it ends, sshd closes the channel, the process reads end of file and
the kernel frees the lock. A directory that every system has is locked, so that no file is made.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from typing import Any, Protocol

from pyinfra import logger
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.ssh import SSHConnector

LOCKED_DIRECTORY = "/var/lib"
BUSY_EXIT_CODE = 75
ANSWER_TIMEOUT_S = 30
LONGEST_CHATTER = 64 * 1024  # bytes that a login shell may print before the answer
COMMAND = (
    f"flock --nonblock --conflict-exit-code {BUSY_EXIT_CODE} {LOCKED_DIRECTORY}"
    " sh -c 'echo locked; exec cat >/dev/null' boxwright-lock"
)


class _Holder(Protocol):
    def alive(self) -> bool: ...


def _says_locked(read: Callable[[], bytes]) -> bool:
    """Whether the lock's process says that it has it, after whatever a login shell prints first."""
    said = b""
    while not re.search(rb"^locked$", said, re.MULTILINE) and len(said) < LONGEST_CHATTER:
        piece = read()
        if not piece:
            return False
        said += piece
    return len(said) < LONGEST_CHATTER


class _SshHolder:
    """The lock's process at the far end of one SSH channel."""

    def __init__(self, host: Host) -> None:
        transport = host.connector.client.get_transport()  # type: ignore[attr-defined]
        self.channel = transport.open_session(timeout=ANSWER_TIMEOUT_S)
        self.channel.settimeout(ANSWER_TIMEOUT_S)
        self.channel.exec_command(COMMAND)
        self.locked = _says_locked(lambda: bytes(self.channel.recv(4096)))

    def alive(self) -> bool:
        transport = self.channel.get_transport()
        gone = self.channel.closed or self.channel.exit_status_ready()
        return self.locked and not gone and bool(transport.is_active())


class _LocalHolder:
    """The lock's process as a child of this run, for `@local`."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            ["sh", "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.locked = _says_locked(self.process.stdout.readline)

    def alive(self) -> bool:
        return self.locked and self.process.poll() is None


_holders: dict[str, _Holder] = {}


def _new_holder(host: Host) -> _Holder | None:
    connector: Any = host.connector
    if isinstance(connector, SSHConnector):
        return _SshHolder(host)
    if isinstance(connector, LocalConnector):
        return _LocalHolder()
    return None  # a chroot or a fake host has no other run to fear


def take_lock(state: State, host: Host) -> bool:
    """Hold the lock of this host until the run ends; False, with a sentence, if another run does.

    Called before every first command of an operation: after a reboot the old holder is gone and
    the lock is taken anew.
    """
    held = _holders.get(host.name)
    if held is not None and held.alive():
        return True
    try:
        holder = _new_holder(host)
    except Exception as error:  # any fault of the connection fails this host, not the run
        logger.error(f"{host.print_prefix}the host lock could not be asked for: {error}")
        return False
    if holder is None or holder.alive():
        if holder is not None:
            _holders[host.name] = holder
        return True
    logger.error(
        f"{host.print_prefix}boxwright refuses: another Boxwright run is changing this host"
        f" (flock on {LOCKED_DIRECTORY}); needed: none. Cure: wait for it to end, or end the"
        " process `boxwright-lock` there if its run is gone."
    )
    return False

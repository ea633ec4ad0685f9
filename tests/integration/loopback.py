"""Free ports for programs that have to be told one."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[tuple[str, int]]:
    """A loopback address of this process alone, with each of so many ports that are free there.

    On 127.0.0.1 any connection or server of this machine may take a port before its program
    does. 127.64.0.0/10 has an address for each of Linux's 2^22 process ids.
    """
    pid = os.getpid()
    address = f"127.{64 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}"
    with ExitStack() as held:
        free = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in free:
            one.bind((address, 0))
        return [one.getsockname() for one in free]

"""How long starts and stops may take, and what the server's journal says (pure)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

BASE_S = 120  # of each step of a start or stop, beside what grows with the memory
DIRTY_SHARE = 0.2  # of RAM: more than vm.dirty_ratio's default does not wait to be written
DROP_MIB_S = 2048  # page cache emptied; 6000 and more were measured on a small virtual machine
FREE_MIB_S = 1024  # memory unlocked, unpinned and given back when a process ends
# from the most telling to the least; reference/llama-cpp.md, section 5
TELLING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"out of memory|cudaMalloc failed|oom-kill",
        r"invalid argument|error while handling argument|unknown argument",
        r"cannot open shared object|version `.*' not found",
        r"couldn't bind|failed to bind|address already in use",
        r"no such file|permission denied|failed to open",
        r"failed to load|unable to load|unsupported|unknown model architecture",
        r"\berror\b|\bfailed\b|exception|abort",
    )
)


def deadline_s(model_mib: int, base_s: float, disk_read_mib_s: float) -> int:
    """How long a start may take: the base, and the model read once from a slow disk."""
    return math.ceil(base_s + model_mib / max(disk_read_mib_s, 1))


def pre_start_s(ram_mib: int, disk_mib_s: float) -> int:
    """How long the page cache may take to be written to a slow disk and emptied before a start.

    In whole minutes: another kernel finds a few MiB more or less, and the unit is to stay the same.
    """
    written_s = DIRTY_SHARE * ram_mib / max(disk_mib_s, 1)
    return 60 * math.ceil((BASE_S + written_s + ram_mib / DROP_MIB_S) / 60)


def stop_s(model_mib: int) -> int:
    """How long the server may take to end, its memory given back."""
    return math.ceil(BASE_S + model_mib / FREE_MIB_S)


def restart_s(start_timeout_s: int, stop_timeout_s: int) -> int:
    """How long systemd itself may take for a restart: stopped by TERM, or by KILL after that, then
    the two commands before the start and the start, each with a time of its own."""
    return 2 * stop_timeout_s + 3 * start_timeout_s


def telling_line(journal: Iterable[str]) -> str:
    """The line of a failed start that best says why: the last of the most telling kind."""
    lines = [line.strip() for line in journal if line.strip()]
    for pattern in TELLING:
        for line in reversed(lines):
            if pattern.search(line):
                return line[:300]
    return lines[-1][:300] if lines else "the journal is empty"

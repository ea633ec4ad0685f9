"""How memory's bandwidth is measured with sysbench, and how its answer is read (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

BLOCKS_MIB = (64, 32)  # a power of two each, and more than one core's share of any cache
SPARE = 0.5  # of what is available at most: what serves must not be pushed out
SECONDS = 5
MIB = 1024**2
ANSWER = re.compile(r"transferred \((?P<mib_s>[0-9.]+) MiB/sec\)")


def block_mib(cores: int, available_mib: int) -> int | None:
    """What each core reads over and over; None where so much memory is not free."""
    room_mib = available_mib * SPARE / max(cores, 1)
    return next((size for size in BLOCKS_MIB if size <= room_mib), None)


def cores_of(processors: str, cores: int, threads: int) -> int:
    """How many of a machine's `cores` a kernel's list of processors ("0-19,40-59") has."""
    count = 0
    for part in processors.split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return max(count * cores // max(threads, 1), 1)


def script(nodes: Sequence[tuple[str, int]], each_mib: int) -> str:
    """One sysbench per node at the same time: on its processors, with that many threads.

    It touches its blocks first from there, so they lie on that node. Without a list of processors
    it is left where it runs.
    """
    runs = []
    for processors, threads in nodes:
        bound = f"taskset -c {processors} " if processors else ""
        options = (
            f"--threads={threads} --time={SECONDS} --memory-block-size={each_mib}M"
            " --memory-total-size=1000T --memory-oper=read --memory-scope=local"
        )
        runs.append(f"{bound}sysbench memory {options} run &")
    return "\n".join(["export LC_ALL=C", *runs, "wait"])


def read_gb_s(lines: Iterable[str], nodes: int) -> float | None:
    """GB/s of all nodes together; None if one of them did not answer."""
    rates = [float(found["mib_s"]) for line in lines if (found := ANSWER.search(line))]
    return sum(rates) * MIB / 1e9 if len(rates) == nodes and all(rates) else None

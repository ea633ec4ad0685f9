"""How memory's bandwidth is measured with sysbench, and how its answer is read (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

BLOCKS_MIB = (64, 32, 16)  # a power of two each: of all cores together more than any cache holds
SPARE = 0.5  # of what is available at most: what serves must not be pushed out
SECONDS = 5
MIB = 1024**2
ANSWER = re.compile(r"transferred \((?P<mib_s>[0-9.]+) MiB/sec\)")


def block_mib(cores: int, available_mib: int) -> int | None:
    """What each core reads over and over; None where so much memory is not free."""
    room_mib = available_mib * SPARE / max(cores, 1)
    return next((size for size in BLOCKS_MIB if size <= room_mib), None)


def script(cores: int, processors: Sequence[str], each_mib: int) -> str:
    """One sysbench per node at the same time, bound to its `processors` ("0-19,40-59").

    It touches its blocks first from there, so they lie on that node.
    """
    options = (
        f"--threads={max(cores // len(processors), 1)} --time={SECONDS}"
        f" --memory-block-size={each_mib}M --memory-total-size=1000T"
        " --memory-oper=read --memory-scope=local"
    )
    runs = [f"taskset -c {of_node} sysbench memory {options} run &" for of_node in processors]
    return "\n".join(["export LC_ALL=C", *runs, "wait"])


def read_gb_s(lines: Iterable[str], nodes: int) -> float | None:
    """GB/s of all nodes together; None if one of them did not answer."""
    rates = [float(found["mib_s"]) for line in lines if (found := ANSWER.search(line))]
    return sum(rates) * MIB / 1e9 if len(rates) == nodes and all(rates) else None

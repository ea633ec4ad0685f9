"""What real tools must say on the lab's hosts, told apart from how the lab makes them say it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.lab.conftest import RunningLab

GIB_IN_MIB = 1024


def settled(own: RunningLab, host: str) -> str:
    """The state of the whole system, once its boot is over: a login opens before that."""
    return own.run(host, "systemctl is-system-running --wait").strip()


def lscpu(own: RunningLab, host: str) -> dict[str, str]:
    rows = json.loads(own.run(host, "LC_ALL=C lscpu --json"))["lscpu"]
    return {row["field"].rstrip(":"): row["data"] for row in flat(rows)}


def flat(rows: list[dict[str, object]]) -> Iterator[dict[str, str]]:
    """lscpu nests its rows in some versions and not in others."""
    for row in rows:
        yield row  # type: ignore[misc]
        yield from flat(row.get("children", []))  # type: ignore[arg-type]


def expect_xeon(own: RunningLab) -> None:
    cpu = lscpu(own, "xeon")
    assert cpu["Model name"] == "Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz"
    assert (cpu["Socket(s)"], cpu["Core(s) per socket"], cpu["Thread(s) per core"]) == (
        ("2", "1", "2")
    )
    assert (cpu["NUMA node0 CPU(s)"], cpu["NUMA node1 CPU(s)"]) == ("0,2", "1,3")
    cards = [line for line in own.run("xeon", "lspci -Dnn").splitlines() if "[10de:" in line]
    assert [line.split()[0] for line in cards] == [
        "0000:03:00.0",
        "0000:03:00.1",
        "0000:82:00.0",
        "0000:82:00.1",
    ]
    assert "VGA compatible controller [0300]" in cards[0]
    assert "[Quadro P5000] [10de:1bb0]" in cards[0]
    assert "Audio device [0403]" in cards[1]
    total = int(own.run("xeon", "free -m | awk '/^Mem/{print $2}'"))
    assert 125 * GIB_IN_MIB < total < 128 * GIB_IN_MIB
    assert own.run("xeon", "cat /proc/sys/kernel/osrelease") == "6.8.0-60-generic\n"
    assert settled(own, "xeon") == "running"

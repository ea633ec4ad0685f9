"""The bench role on host RAM: how every node is read, and what is kept of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from boxwright.operation import apt, modules_digest
from roles.bench import bandwidth, memory
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box

# as sysbench 1.0.20 printed it here
SYSBENCH = (
    "Total operations: 293 (   97.40 per second)",
    "75008.00 MiB transferred (24933.85 MiB/sec)",
    "    total time:                          3.0078s",
)


def test_every_node_reads_its_own_memory_at_the_same_time() -> None:
    text = bandwidth.script([("0-19,40-59", 20), ("20-39,60-79", 20)], 64)
    runs = [line for line in text.splitlines() if "sysbench" in line]
    assert [line.split()[:3] for line in runs] == [
        ["taskset", "-c", "0-19,40-59"], ["taskset", "-c", "20-39,60-79"]
    ]  # fmt: skip
    assert all("--threads=20 " in line and line.endswith("&") for line in runs)
    assert text.splitlines()[-1] == "wait"
    anywhere = bandwidth.script([("", 2)], 64).splitlines()[1]
    assert anywhere.startswith("sysbench ") and "--threads=2 " in anywhere


def test_a_node_reads_with_its_own_cores() -> None:
    """Half of a Threadripper 2990WX's nodes have no memory: their cores read elsewhere."""
    assert bandwidth.cores_of("0-7,32-39", cores=32, threads=64) == 8
    assert bandwidth.cores_of("0,2,4,6", cores=8, threads=8) == 4
    assert bandwidth.cores_of("5", cores=8, threads=16) == 1


@pytest.mark.parametrize(
    ("cores", "available_mib", "block_mib"),
    [(40, 20_000, 64), (128, 12_000, 32), (16, 1024, 32), (16, 1000, None), (0, 64, 32)],
)
def test_blocks_leave_half_of_what_is_available(
    cores: int, available_mib: int, block_mib: int | None
) -> None:
    found = bandwidth.block_mib(cores, available_mib)
    assert found == block_mib
    if found is not None:
        assert cores * found <= available_mib / 2 and found & (found - 1) == 0


def test_the_nodes_answers_add_up_and_none_may_be_missing() -> None:
    both = [*SYSBENCH, "90880.00 MiB transferred (30232.02 MiB/sec)"]
    assert bandwidth.read_gb_s(both, 2) == pytest.approx((24933.85 + 30232.02) * 1.048576 / 1000)
    assert bandwidth.read_gb_s(SYSBENCH, 2) is None
    assert bandwidth.read_gb_s((), 1) is None


def reading(**changes: Any) -> RoleHost:
    host = box(machine("xeon"), bench_memory=True)
    host.install("sysbench", version="1.0.20")
    host.answers["sysbench memory"] = (*SYSBENCH, *SYSBENCH)
    return replace(host, **changes) if changes else host


def test_what_was_read_is_kept_whole_where_the_probe_finds_it() -> None:
    host = reading()
    host.run(memory.measure_memory)
    assert "/var/lib/boxwright/memory.json" in host.sent[-1] and "mv -T" in host.sent[-1]
    kept = json.loads(host.stdin[-1])
    assert kept == {"read_gb_s": 52.3, "modules": modules_digest(machine("xeon"))}


def test_a_failed_reading_keeps_nothing_and_lets_the_server_be_measured() -> None:
    host = reading(answers={"sysbench memory": ("FATAL: out of memory",)})
    host.run(memory.measure_memory)
    assert host.refusal is None and len(host.sent) == 1
    assert any("FATAL: out of memory" in text for text in host.logged)


def test_sysbench_is_installed_where_it_can_be_had_and_asked_for() -> None:
    host = box(machine("xeon"), bench_memory=True)
    host.facts[apt.Candidates] = {}
    assert host.run(memory.have_sysbench) == []
    assert "no source of packages has sysbench" in host.noops[-1]
    assert host.run(memory.measure_memory) == []
    host.facts[apt.Candidates] = {"sysbench": "1.0.20"}
    assert any("install" in text and "sysbench" in text for text in host.run(memory.have_sysbench))
    unwanted = box(machine("xeon"), bench_memory=False)
    assert unwanted.run(memory.have_sysbench) == unwanted.run(memory.measure_memory) == []

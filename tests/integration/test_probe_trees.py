"""What the probe reads of machines unlike the recorded ones: old kernels, odd nodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from boxwright.machine import machine_from_json
from tests.integration.odd_machines import (
    alpha,
    cell,
    directories_without_topology,
    first_cpus_offline,
    four_old_sockets,
    hyperthreads_without_sys,
    mainframe,
    numbers_only,
    opteron_without_sys,
    power7,
    s390_without_sys,
    stale_topology,
    wrong_siblings,
)
from tests.lab.hardware.tree import write_tree
from tests.unit.probing import PAIRS, PROBE, Files, probe, run_script, write_cpus

Built = tuple[Callable[[Path], None], tuple[int, int, int, list[tuple[int, str]]]]
TREES: list[Built] = [
    # builder: cores, threads, sockets, nodes with their CPUs
    (four_old_sockets, (32, 64, 4, [])),
    (power7, (8, 32, 2, [(0, "0-15"), (4, "16-31")])),
    (cell, (1, 2, 1, [])),
    (mainframe, (8, 8, 4, [])),
    (wrong_siblings, (8, 8, 2, [])),
    (numbers_only, (3, 6, 1, [])),
    (first_cpus_offline, (17, 17, 2, [(1, "5,7,9,11,13,15,17,19")])),
    (stale_topology, (3, 5, 1, [])),
    (opteron_without_sys, (12, 12, 2, [])),
    (hyperthreads_without_sys, (4, 8, 2, [])),
    (directories_without_topology, (4, 8, 2, [])),
    (s390_without_sys, (2, 2, 1, [])),
    (alpha, (1, 1, 1, [])),
]


@pytest.mark.parametrize(("build", "expected"), TREES, ids=lambda one: getattr(one, "__name__", ""))
def test_the_shape_of_a_machine(
    build: Callable[[Path], None],
    expected: tuple[int, int, int, list[tuple[int, str]]],
    tmp_path: Path,
) -> None:
    build(tmp_path)
    machine = machine_from_json(probe(tmp_path))
    cpu = machine.cpu
    nodes = [(node.node, node.cpus) for node in machine.numa]
    assert (cpu.cores, cpu.threads, cpu.sockets, nodes) == expected


@pytest.mark.parametrize(("shell", "awk"), PAIRS)
def test_every_shell_and_awk_reads_masks_alike(
    shell: list[str], awk: list[str] | None, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    power7(tree)
    report = json.loads(run_script([*shell, str(PROBE)], awk, tmp_path, SYSROOT=str(tree)))
    assert (report["cpu"]["cores"], report["cpu"]["threads"], report["cpu"]["sockets"]) == (
        8,
        32,
        2,
    )
    assert [node["memory_mib"] for node in report["numa"]] == [56, 64]


def nodes_of(tree: Path, nodes: dict[int, tuple[str, int]]) -> list[tuple[int, str, int]]:
    for number, (cpus, mib) in nodes.items():
        files: Files = {
            "cpulist": f"{cpus}\n",
            "meminfo": f"Node {number} MemTotal: {mib << 10} kB",
        }
        write_tree(tree / f"sys/devices/system/node/node{number}", files)
    return [(node["node"], node["cpus"], node["memory_mib"]) for node in probe(tree)["numa"]]


@pytest.mark.parametrize(
    "nodes",
    [
        {0: ("0-9,40-49", 32), 1: ("10-19,50-59", 32), 2: ("20-29,60-69", 32), 3: ("30-39", 32)},
        {0: ("0-15", 96), 1: ("16-31", 96), 2: ("", 16), 3: ("", 16)},  # HBM beside DDR
        {0: ("0-79", 256), 8: ("80-159", 256), 252: ("", 32), 255: ("", 32)},  # cards' own memory
        {0: ("0-7", 128), 1: ("8-15", 0), 2: ("16-23", 128), 3: ("24-31", 0)},  # a Threadripper
        {1: ("0-3", 8)},
        {},
    ],
)
def test_a_node_for_each_directory(nodes: dict[int, tuple[str, int]], tmp_path: Path) -> None:
    """Sub-NUMA clusters, memory without CPUs, CPUs without memory, gaps in the numbers."""
    expected = [(number, cpus, mib) for number, (cpus, mib) in nodes.items()]
    assert nodes_of(tmp_path, nodes) == expected


def test_a_node_whose_files_are_empty(tmp_path: Path) -> None:
    folder = tmp_path / "sys/devices/system/node/node0"
    write_tree(folder, {"cpulist": "", "cpumap": "00000000,00000000", "meminfo": ""})
    assert probe(tmp_path)["numa"] == [{"node": 0, "cpus": "", "memory_mib": 0}]


def test_performance_cores_that_are_offline_do_not_count(tmp_path: Path) -> None:
    """Two of three P-cores and all E-cores are on; the counters' own lists name them all."""
    pairs = {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", 4: "4-5", 5: "4-5", 6: "6", 7: "7"}
    for cpu, core in pairs.items():
        files: Files = {"topology/core_cpus_list": core, "topology/physical_package_id": "0"}
        write_cpus(tmp_path, {cpu: {"online": "0"} if core == "4-5" else files})
    lists: Files = {"cpu_core/cpus": "0-5", "cpu_atom/cpus": "6-7", "system/cpu/online": "0-3,6-7"}
    write_tree(tmp_path / "sys/devices", lists)
    cpu = probe(tmp_path)["cpu"]
    assert (cpu["cores"], cpu["threads"], cpu["performance_cores"]) == (4, 6, 2)

"""Processors and memory as the probe reads them from odd, old, partial and hybrid trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.hardware.tree import write_tree
from tests.unit.probing import (
    BIOS,
    DDR4,
    DDR5,
    END_OF_TABLE,
    memory_device,
    probe,
    program,
    write_cpus,
)

Files = dict[str, str | bytes]


def topology(core: str, package: str = "0", **more: str) -> Files:
    return {
        "topology/thread_siblings_list": core,
        "topology/physical_package_id": package,
        **{f"topology/{name}": value for name, value in more.items()},
    }


def counts(tree: Path) -> tuple[int, int, int]:
    cpu = probe(tree)["cpu"]
    return cpu["cores"], cpu["threads"], cpu["sockets"]


def test_core_ids_that_repeat_in_a_package_are_different_cores(tmp_path: Path) -> None:
    """Multi-die packages number the cores of each die from 0; only the sibling sets differ."""
    cores = {n: topology(str(n), core_id=str(n % 2), die_id=str(n // 2)) for n in range(4)}
    write_cpus(tmp_path, cores)
    assert counts(tmp_path) == (4, 4, 1)


def test_masks_count_like_lists(tmp_path: Path) -> None:
    def files(mask: str, package: str) -> Files:
        return {"topology/thread_siblings": mask, "topology/core_siblings": package}

    write_cpus(
        tmp_path,
        {
            0: files("00000001,00000001", "00000003,00000003"),
            1: files("2,00000002", "00000003,00000003"),
            32: files("00000001,00000001", "00000003,00000003"),
            33: files("00000002,00000002", "00000003,00000003"),
            34: files("4,00000000", "4,00000000"),
        },
    )
    assert counts(tmp_path) == (3, 5, 2)


def test_newer_names_win_over_deprecated_ones(tmp_path: Path) -> None:
    both = {"topology/core_cpus_list": "0-1", "topology/thread_siblings": "ff"}
    write_cpus(tmp_path, {n: {**both, "topology/physical_package_id": "0"} for n in (0, 1)})
    assert counts(tmp_path) == (1, 2, 1)


def test_offline_cpus_do_not_count(tmp_path: Path) -> None:
    """CPU 0 has no `online` file on x86; an offline CPU keeps its directory, not its topology."""
    write_cpus(
        tmp_path,
        {
            0: topology("0"),
            1: topology("1,3") | {"online": "1"},
            2: {"online": "0"},
            3: topology("1,3") | {"online": "1"},
        },
    )
    write_tree(tmp_path, {"sys/devices/system/cpu/online": "0-1,3"})
    assert counts(tmp_path) == (2, 3, 1)


def test_the_online_list_alone_tells_who_is_offline(tmp_path: Path) -> None:
    write_cpus(tmp_path, {n: topology(str(n)) for n in range(12)})
    write_tree(tmp_path, {"sys/devices/system/cpu/online": b"0-3,8,10-11"})
    assert counts(tmp_path) == (7, 7, 1)


def test_without_sys_the_processors_come_from_cpuinfo(tmp_path: Path) -> None:
    rows = [(0, 0, 0), (1, 0, 0), (2, 0, 1), (3, 1, 0)]
    text = "".join(
        f"processor\t: {cpu}\nmodel name\t: X\nphysical id\t: {package}\ncore id\t: {core}\n\n"
        for cpu, package, core in rows
    )
    write_tree(tmp_path, {"proc/cpuinfo": text})
    assert counts(tmp_path) == (3, 4, 2)


def test_a_cpu_without_any_topology_is_a_core(tmp_path: Path) -> None:
    write_cpus(tmp_path, {0: {"online": "1"}, 1: {"online": "1"}})
    assert counts(tmp_path) == (2, 2, 1)


def test_packages_without_an_id_are_told_by_their_cpus(tmp_path: Path) -> None:
    cpus = {
        n: topology(str(n), package="-1", package_cpus_list="0-1" if n < 2 else "2-3")
        for n in range(4)
    }
    write_cpus(tmp_path, cpus)
    assert counts(tmp_path) == (4, 4, 2)


def hybrid(tree: Path) -> None:
    """A 12900K, small: two P-cores with two threads each and four E-cores."""
    threads = {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", **{n: str(n) for n in range(4, 8)}}
    write_cpus(tree, {n: topology(core) for n, core in threads.items()})
    write_tree(tree, {"sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-7"})


def test_a_hybrid_processor_tells_its_performance_cores(tmp_path: Path) -> None:
    hybrid(tmp_path)
    cpu = probe(tmp_path)["cpu"]
    assert (cpu["cores"], cpu["threads"], cpu["performance_cores"]) == (6, 8, 2)


def test_arm_tells_fast_cores_by_their_capacity(tmp_path: Path) -> None:
    capacities = [1024, 1024, 446, 446, 446, 446]
    cpus = {
        n: topology(str(n)) | {"cpu_capacity": str(value)} for n, value in enumerate(capacities)
    }
    write_cpus(tmp_path, cpus)
    write_tree(
        tmp_path,
        {"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"},
    )
    report = probe(tmp_path)
    assert report["cpu"]["performance_cores"] == 2
    assert report["cpu"]["flags"] == ["fp", "asimd"]
    assert report["os"]["arch"] == "aarch64"


def test_equal_cores_have_no_performance_cores(tmp_path: Path) -> None:
    write_cpus(tmp_path, {n: topology(str(n)) | {"cpu_capacity": "1024"} for n in range(2)})
    assert probe(tmp_path)["cpu"]["performance_cores"] is None


def node_meminfo(node: int, kib: int) -> str:
    return f"Node {node} MemTotal:       {kib} kB\nNode {node} MemFree:        {kib // 2} kB"


def nodes(tree: Path) -> list[tuple[int, str, int]]:
    return [(n["node"], n["cpus"], n["memory_mib"]) for n in probe(tree)["numa"]]


def test_nodes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for node in (0, 2, 10, 253):
        files = {"cpulist": str(node), "meminfo": node_meminfo(node, 1048576)}
        write_tree(tmp_path / f"sys/devices/system/node/node{node}", dict(files))
    assert [node for node, _, _ in nodes(tmp_path)] == [0, 2, 10, 253]


def test_a_node_may_lack_memory_or_cpus(tmp_path: Path) -> None:
    root = tmp_path / "sys/devices/system/node"
    write_tree(root / "node0", {"cpulist": "0-7", "meminfo": node_meminfo(0, 2097152)})
    write_tree(root / "node1", {"cpulist": "8-15", "meminfo": node_meminfo(1, 0)})
    write_tree(root / "node2", {"cpulist": "", "meminfo": node_meminfo(2, 1048576)})
    write_tree(root, {"has_cpu": "0-1", "possible": "0-3"})
    assert nodes(tmp_path) == [(0, "0-7", 2048), (1, "8-15", 0), (2, "", 1024)]


def test_the_cpus_of_a_node_from_a_mask_or_from_links(tmp_path: Path) -> None:
    root = tmp_path / "sys/devices/system/node"
    write_tree(root / "node0", {"cpumap": b"80000000,0000000f"})
    links = {f"cpu{n}": f"-> ../../cpu/cpu{n}" for n in (2, 10, 11, 12, 64)}
    write_tree(root / "node1", dict(links))
    assert nodes(tmp_path) == [(0, "0-3,63", 0), (1, "2,10-12,64", 0)]


def memory(tree: Path) -> Any:
    return probe(tree)["memory"]


def test_old_kernels_tell_available_memory_in_parts(tmp_path: Path) -> None:
    text = "MemTotal: 8388608 kB\nMemFree: 1048576 kB\nBuffers: 1024 kB\nCached: 1048576 kB\n"
    write_tree(tmp_path, {"proc/meminfo": text + "SwapTotal: 2097152 kB"})
    found = memory(tmp_path)
    assert (found["total_mib"], found["available_mib"], found["swap_mib"]) == (8192, 2049, 2048)


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        ("max", "0", (8192, 4096)),
        ("2147483648", "1073741824", (2048, 1024)),
        ("", "", (8192, 4096)),
    ],
)
def test_a_container_has_what_it_may_use(
    limit: str, used: str, expected: tuple[int, int], tmp_path: Path
) -> None:
    write_tree(
        tmp_path,
        {
            "proc/meminfo": "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n",
            "sys/fs/cgroup/memory.max": limit,
            "sys/fs/cgroup/memory.current": used,
        },
    )
    found = memory(tmp_path)
    assert (found["total_mib"], found["available_mib"]) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("3221225472", (3072, 2048)), ("9223372036854771712", (8192, 4096))],
)
def test_so_has_one_under_version_1_control_groups(
    limit: str, expected: tuple[int, int], tmp_path: Path
) -> None:
    """Without a limit the file holds the largest number of whole pages."""
    files: Files = {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": "1073741824"}
    write_tree(tmp_path / "sys/fs/cgroup/memory", files)
    text = "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n"
    write_tree(tmp_path, {"proc/meminfo": text, "run/systemd/container": "lxc"})
    found = probe(tmp_path)
    memory = found["memory"]
    assert (memory["total_mib"], memory["available_mib"]) == expected
    assert found["container"] == "lxc"


def dmi(tree: Path, *devices: bytes) -> Any:
    table = BIOS + b"".join(devices) + END_OF_TABLE
    write_tree(tree, {"sys/firmware/dmi/tables/DMI": table})
    return memory(tree)["dimms"]


def test_dimms_from_the_firmwares_own_table(tmp_path: Path) -> None:
    found = dmi(
        tmp_path,
        memory_device(32768, DDR5, 5600, 3600, "P0 CHANNEL A", "DIMM 1"),
        memory_device(0, 2, 0, 0, "P0 CHANNEL A", "DIMM 0"),  # an empty slot
        memory_device(16384, DDR4, 2400, 0, "NODE 0", "A1", length=40),
        memory_device(16, 9, 0, 0, "SPI", "BIOS chip"),  # flash is no RAM
        memory_device(16384, DDR4, 70000, 70000, "NODE 0", "A2"),
    )
    assert found == [
        {"size_mib": 32768, "speed_mts": 3600, "type": "DDR5", "slot": "P0 CHANNEL A DIMM 1"},
        {"size_mib": 16384, "speed_mts": 2400, "type": "DDR4", "slot": "NODE 0 A1"},
        {"size_mib": 16384, "speed_mts": 70000, "type": "DDR4", "slot": "NODE 0 A2"},
    ]


def test_memory_that_keeps_what_is_written_is_no_ram(tmp_path: Path) -> None:
    """DSP0134, 7.18.6: technology 3 is DRAM, 4 DRAM with a battery, 7 Optane."""
    devices = []
    for number, technology in enumerate((3, 4, 5, 6, 7)):
        device = bytearray(memory_device(32768, DDR4, 2666, 2666, "B", f"A{number}"))
        device[0x28] = technology
        devices.append(bytes(device))
    assert [one["slot"] for one in dmi(tmp_path, *devices)] == ["B A0", "B A1"]


def test_dimms_from_the_entries_of_an_older_kernel(tmp_path: Path) -> None:
    """/sys/firmware/dmi/entries (Linux 2.6.39) has each structure with the strings behind it."""
    entries = tmp_path / "sys/firmware/dmi/entries"
    for number, slot in enumerate(("A1", "B1")):
        raw = memory_device(8192, DDR4, 2133, 1866, "NODE 0", slot)
        write_tree(entries, {f"17-{number}/raw": raw, f"4-{number}/raw": BIOS})
    found = memory(tmp_path)["dimms"]
    assert [(one["size_mib"], one["speed_mts"], one["slot"]) for one in found] == [
        (8192, 1866, "NODE 0 A1"),
        (8192, 1866, "NODE 0 B1"),
    ]


@pytest.mark.parametrize("kept", [0, 1, 3, 30, 60, 95, 120])
def test_a_table_cut_short_does_no_harm(kept: int, tmp_path: Path) -> None:
    whole = BIOS + memory_device(16384, DDR4, 2400, 2400, "B", "L") + END_OF_TABLE
    write_tree(tmp_path, {"sys/firmware/dmi/tables/DMI": whole[:kept]})
    assert len(memory(tmp_path)["dimms"]) <= 1


DMIDECODE = """cat <<'END'
# dmidecode 3.4
Handle 0x0011, DMI type 17, 92 bytes
Memory Device
	Size: 16 GB
	Locator: DIMM_A1
	Bank Locator: P0_Node0_Channel0
	Type: DDR4
	Speed: 2400 MT/s
	Configured Memory Speed: 2133 MT/s

Handle 0x0012, DMI type 17, 92 bytes
Memory Device
	Size: No Module Installed
	Locator: DIMM_A2
	Bank Locator: P0_Node0_Channel0
	Type: Unknown
	Speed: Unknown

Handle 0x0013, DMI type 17, 40 bytes
Memory Device
	Size: 8192 MB
	Locator: B1
	Bank Locator: BANK 1
	Type: DDR3
	Speed: 1600 MHz
	Configured Clock Speed: Unknown

Handle 0x0014, DMI type 17, 92 bytes
Memory Device
	Size: 126 GB
	Locator: B2
	Bank Locator: BANK 1
	Type: Logical non-volatile device
	Speed: 2666 MT/s
	Memory Technology: Intel Optane DC persistent memory
END"""


def test_dimms_from_dmidecode(tmp_path: Path) -> None:
    program(tmp_path, "dmidecode", DMIDECODE)
    assert memory(tmp_path)["dimms"] == [
        {
            "size_mib": 16384,
            "speed_mts": 2133,
            "type": "DDR4",
            "slot": "P0_Node0_Channel0 DIMM_A1",
        },
        {"size_mib": 8192, "speed_mts": 1600, "type": "DDR3", "slot": "BANK 1 B1"},
    ]

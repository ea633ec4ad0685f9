"""Memory as the probe reads it: nodes, containers, the firmware's table of modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.hardware.tree import write_tree
from tests.unit.probing import BIOS, DDR4, DDR5, END_OF_TABLE, Files, memory_device, probe, program


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

"""Processors as the probe reads them from odd, old, partial and hybrid trees."""

from __future__ import annotations

from pathlib import Path

from tests.lab.hardware.tree import write_tree
from tests.unit.probing import Files, probe, write_cpus


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

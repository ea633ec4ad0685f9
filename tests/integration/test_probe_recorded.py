"""The probe over recorded trees and over whole machines, in every shell and awk that is here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from boxwright.machine import machine_from_json
from tests.lab.hardware.tree import write_tree
from tests.unit.boxes import BOXES, write_xeon
from tests.unit.probing import FIXTURES, MACHINES, PAIRS, PROBE, SHELLS, here, probe, run_script

RECORDED = {
    # name: cores, threads, sockets, node CPU lists, RAM MiB, CPU model
    "16em64t-4s2c2t": (8, 16, 4, ["0-15"], 16379, "Intel(R) Xeon(TM) CPU 2.60GHz"),
    "32amd64-4s2n4c-cgroup2": (
        32,
        32,
        4,
        ["0-3", "4-7", "8-11", "12-15", "16-19", "20-23", "24-27", "28-31"],
        129194,
        "AMD Opteron(tm) Processor 6134",
    ),
    "8em64t-2s2ca2c": (8, 8, 2, ["0-7"], 16082, "Intel(R) Xeon(R) CPU           E5345  @ 2.33GHz"),
}


UNUSED = {"cache", "cpuidle", "cgroup", "power", "hugepages", "thermal_throttle", "microcode"}


@pytest.fixture(scope="module", params=RECORDED)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """One of the recorded trees, unpacked."""
    folder = tmp_path_factory.mktemp("recorded")
    with tarfile.open(FIXTURES / "sysfs" / f"{request.param}.tar.bz2") as archive:
        # the many files that no version of the probe has a use for only cost time
        useful = [m for m in archive if not UNUSED & set(m.name.split("/"))]
        archive.extractall(folder, useful, filter="data")
    (tree,) = folder.iterdir()
    return request.param, tree


@pytest.fixture(scope="module")
def xeon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the Xeon box."""
    return write_xeon(tmp_path_factory.mktemp("xeon"))


def test_a_recorded_machine_has_its_cores_sockets_and_nodes(recorded: tuple[str, Path]) -> None:
    name, tree = recorded
    report = probe(tree)
    cpu = report["cpu"]
    cores, threads, sockets, lists, total_mib, model = RECORDED[name]
    assert (cpu["cores"], cpu["threads"], cpu["sockets"]) == (cores, threads, sockets)
    assert [node["cpus"] for node in report["numa"]] == lists
    assert [node["node"] for node in report["numa"]] == list(range(len(lists)))
    assert report["memory"]["total_mib"] == total_mib
    assert 0 < report["memory"]["available_mib"] <= total_mib
    assert cpu["model"] == model
    assert "sse2" in cpu["flags"]
    assert machine_from_json(report).os.arch == "x86_64"


def test_what_a_recorded_tree_does_not_tell_is_not_taken_from_this_machine(
    recorded: tuple[str, Path],
) -> None:
    report = probe(recorded[1])
    assert report["disks"] == []
    assert report["secure_boot"] is None
    assert report["boot_id"] is None
    assert report["os"]["kernel"] == "" and report["os"]["glibc"] is None
    assert report["llama"] == {"build": None, "service": "absent", "model": None}


@pytest.mark.parametrize("name", BOXES)
def test_the_articles_boxes_are_what_their_reports_say(name: str, tmp_path: Path) -> None:
    """The reports that other tests plan with are what the probe really prints of such a machine.

    A recorded tree cannot tell free disk space, so the disks are the report's own.
    """
    expected: Any = json.loads((MACHINES / f"{name}.json").read_text())
    found = probe(BOXES[name](tmp_path))
    assert found | {"disks": expected["disks"]} == expected


def test_the_xeon_box_in_numbers(xeon: Path) -> None:
    machine = machine_from_json(probe(xeon))
    assert (machine.cpu.sockets, machine.cpu.cores, machine.cpu.threads) == (2, 40, 80)
    assert [node.cpus for node in machine.numa] == ["0-19,40-59", "20-39,60-79"]
    assert [(gpu.pci, gpu.numa_node, gpu.driver) for gpu in machine.gpus] == [
        ("0000:03:00.0", 0, "nouveau"),
        ("0000:82:00.0", 1, "nouveau"),
    ]
    assert {gpu.vram_mib for gpu in machine.gpus} == {None}
    assert sum(dimm.size_mib for dimm in machine.memory.dimms) == 128 * 1024
    assert machine.os.init == "systemd" and machine.secure_boot is False


@pytest.mark.parametrize(("shell", "awk"), PAIRS)
def test_every_shell_and_awk_prints_the_same(
    shell: list[str], awk: list[str] | None, xeon: Path, tmp_path: Path
) -> None:
    """POSIX only: what is printed must not depend on which shell a distribution brings."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("sys", "etc", "usr", "run"):
        (tree / name).symlink_to(xeon / name)
    write_tree(tree, {"proc/1/comm": "systemd"})
    for name in ("cpuinfo", "meminfo"):
        (tree / "proc" / name).symlink_to(xeon / "proc" / name)
    kernel = tree / "proc/sys/kernel"
    kernel.mkdir(parents=True)
    (kernel / "random").symlink_to(xeon / "proc/sys/kernel/random")
    (kernel / "osrelease").write_bytes(b"6.8.0-60-generic")
    (kernel / "hostname").write_bytes(b'a\x01"\\\xc3\xa9\xff\xf0\x9f\x96\xa5z')
    text = run_script([*shell, str(PROBE)], awk, tmp_path, SYSROOT=str(tree))
    report = json.loads(text)
    expected = json.loads((MACHINES / "xeon.json").read_text())
    expected |= {"disks": [], "hostname": 'a\x01"\\é\ufffd🖥z'}
    assert report == expected


def test_an_empty_tree_is_a_report_too(tmp_path: Path) -> None:
    machine = machine_from_json(probe(tmp_path))
    assert machine.gpus == () and machine.numa == () and machine.disks == ()
    assert machine.cpu.threads == 0 and machine.memory.total_mib == 0
    assert machine.hostname == "unknown" and machine.os.init is None


def test_this_machine_is_read_without_a_tree(tmp_path: Path) -> None:
    report = json.loads(run_script(["sh", str(PROBE)], None, tmp_path))
    machine = machine_from_json(report)
    assert machine.os.kernel == Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert machine.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert "/" in {disk.mount for disk in machine.disks}
    assert machine.cpu.threads > 0


@pytest.mark.parametrize("shell", here(SHELLS), ids=" ".join)
@pytest.mark.parametrize("lacks", ["probe.d", "probe.awk", "everything"])
def test_a_copy_without_its_parts_says_so_and_prints_no_half_report(
    tmp_path: Path, shell: list[str], lacks: str
) -> None:
    shutil.copytree(PROBE.parent, tmp_path / "facts")
    for part in ("probe.d", "probe.awk") if lacks == "everything" else (lacks,):
        path = tmp_path / "facts" / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    asked = [[*shell, str(tmp_path / "facts" / "probe.sh")], shell]  # a file, and standard input
    for command in asked:
        done = subprocess.run(
            command, cwd=tmp_path / "facts", input=PROBE.read_text(), capture_output=True,
            text=True, timeout=120, check=False, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, "")
        (said,) = done.stderr.splitlines()
        assert "probe.awk and probe.d" in said and str(tmp_path / "facts") in said


def test_a_copy_of_the_whole_directory_reads_a_tree(tmp_path: Path, xeon: Path) -> None:
    shutil.copytree(PROBE.parent, tmp_path / "facts")
    moved = run_script(
        ["sh", str(tmp_path / "facts" / "probe.sh")], None, tmp_path, SYSROOT=str(xeon)
    )
    assert json.loads(moved) == probe(xeon)

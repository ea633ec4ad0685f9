"""The article's boxes and a plain one as trees of files for the probe, in their real size."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.lab.hardware import cards
from tests.lab.hardware.cpu import E5_2698_V4, RYZEN_9_9950X, CpuShape, cpuinfo
from tests.lab.hardware.memory import meminfo, write_nodes
from tests.lab.hardware.pci import AMD_BOARD, INTEL_BOARD, write_pci
from tests.lab.hardware.tree import cpu_list, write_tree
from tests.unit.probing import BIOS, DDR4, DDR5, END_OF_TABLE, Files, memory_device, write_cpus


def _dimms(channels: Sequence[str], size_mib: int, kind: int, rated: int, real: int) -> bytes:
    devices = (
        memory_device(size_mib, kind, rated, real, f"P{cpu} CHANNEL {channel}", f"DIMM_{channel}1")
        for cpu, letters in enumerate(channels)
        for channel in letters
    )
    return BIOS + b"".join(devices) + END_OF_TABLE


def _system(kernel: str, hostname: str, release: str, glibc: str) -> Files:
    return {
        "proc/sys/kernel/osrelease": kernel,
        "proc/sys/kernel/hostname": hostname,
        "proc/sys/kernel/random/boot_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, hostname)),
        "proc/1/comm": "systemd",
        "etc/os-release": release,
        "usr/bin/ldd": f"#! /bin/bash\n  --version)\n    echo 'ldd (GLIBC {glibc}-1) {glibc}'",
        "run/systemd/system/.keep": "",
        "sys/firmware/acpi/.keep": "",
        "sys/module/nouveau/initstate": "live",
    }


NOBLE = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
TRIXIE = 'NAME="Debian GNU/Linux"\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian'
BOOKWORM = 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian'


def _topology(shape: CpuShape, cpu: int) -> Files:
    return {
        "topology/core_id": str(shape.core(cpu) % shape.cores_per_socket),
        "topology/physical_package_id": str(shape.socket(cpu)),
        "topology/core_cpus_list": cpu_list(shape.siblings(cpu)),
        "topology/package_cpus_list": cpu_list(shape.package(cpu)),
    }


def write_box(
    tree: Path,
    system: Files,
    shape: CpuShape,
    fitted_mib: int,
    dimms: bytes,
    fitted: Sequence[cards.FittedCard],
) -> Path:
    """A whole machine, made by the code that makes the lab's, in its real size."""
    devices = tree / "sys/devices/system"
    write_tree(tree, system | {"sys/firmware/dmi/tables/DMI": dimms})
    write_tree(tree, {"proc/cpuinfo": cpuinfo(shape), "proc/meminfo": meminfo(fitted_mib)})
    write_cpus(tree, {cpu: _topology(shape, cpu) for cpu in shape.cpus})
    write_tree(devices / "cpu", {"online": cpu_list(shape.cpus)})
    write_nodes(devices / "node", shape, fitted_mib)
    board = INTEL_BOARD if shape.vendor == "GenuineIntel" else AMD_BOARD
    lists = {node: cpu_list(shape.node_cpus(node)) for node in range(shape.nodes)}
    write_pci(tree / "sys/bus/pci", board, fitted, lists)
    return tree


def write_xeon(tree: Path) -> Path:
    """2x E5-2698 v4, 128 GiB, two Quadro P5000, Ubuntu 24.04."""
    fitted = [
        cards.FittedCard("0000:03:00.0", cards.QUADRO_P5000, 0),
        cards.FittedCard("0000:82:00.0", cards.QUADRO_P5000, 1),
    ]
    shape = replace(E5_2698_V4, cores_per_socket=20)
    system = _system("6.8.0-60-generic", "xeon", NOBLE, "2.39")
    dimms = _dimms(["ABCD", "ABCD"], 16 * 1024, DDR4, 2400, 2400)
    return write_box(tree, system, shape, 128 * 1024, dimms, fitted)


def write_ryzen(tree: Path) -> Path:
    """9950X, 192 GiB, RTX 5090, Debian 13."""
    fitted = [cards.FittedCard("0000:01:00.0", cards.RTX_5090)]
    shape = replace(RYZEN_9_9950X, cores_per_socket=16)
    system = _system("6.12.48+deb13-amd64", "ryzen", TRIXIE, "2.41")
    dimms = _dimms(["AABB"], 48 * 1024, DDR5, 5600, 3600)
    return write_box(tree, system, shape, 192 * 1024, dimms, fitted)


def write_pro6000(tree: Path) -> Path:
    """9950X, 192 GiB, RTX PRO 6000 Blackwell, Debian 13."""
    fitted = [cards.FittedCard("0000:01:00.0", cards.PRO_6000)]
    shape = replace(RYZEN_9_9950X, cores_per_socket=16)
    system = _system("6.12.48+deb13-amd64", "pro6000", TRIXIE, "2.41")
    dimms = _dimms(["AABB"], 48 * 1024, DDR5, 5600, 3600)
    return write_box(tree, system, shape, 192 * 1024, dimms, fitted)


def write_plain(tree: Path) -> Path:
    """One 8-core Xeon, 64 GiB, no card, Debian 12."""
    shape = replace(
        E5_2698_V4,
        model="Intel(R) Xeon(R) CPU E5-1660 v4 @ 3.20GHz",
        sockets=1,
        nodes=1,
        cores_per_socket=8,
    )
    system = _system("6.1.0-40-amd64", "plain", BOOKWORM, "2.36")
    dimms = _dimms(["ABCD"], 16 * 1024, DDR4, 2400, 2400)
    return write_box(tree, system, shape, 64 * 1024, dimms, [])


BOXES = {
    "xeon": write_xeon,
    "ryzen": write_ryzen,
    "pro6000": write_pro6000,
    "plain": write_plain,
}

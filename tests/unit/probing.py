"""Trees of /sys and /proc files for the probe, the probe run over them, and the article's boxes."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.lab.hardware import cards
from tests.lab.hardware.cpu import E5_2698_V4, RYZEN_9_9950X, CpuShape, cpuinfo
from tests.lab.hardware.memory import meminfo, write_nodes
from tests.lab.hardware.pci import AMD_BOARD, INTEL_BOARD, write_pci
from tests.lab.hardware.tree import cpu_list, write_tree

ROOT = Path(__file__).resolve().parents[2]
PROBE = ROOT / "boxwright" / "facts" / "probe.sh"
FIXTURES = ROOT / "tests" / "fixtures"
MACHINES = FIXTURES / "machines"

SHELLS = [["sh"], ["dash"], ["bash", "--posix"], ["busybox", "sh"]]
AWKS = [["mawk"], ["gawk"], ["original-awk"], ["busybox", "awk"]]


def here(commands: list[list[str]]) -> list[list[str]]:
    """Those of the programs that this machine has; the first is the system's own."""
    return [command for command in commands if shutil.which(command[0])]


PAIRS: list[tuple[list[str], list[str] | None]] = [
    *((shell, None) for shell in here(SHELLS)),
    *((["sh"], awk) for awk in here(AWKS)),
]
"""Each shell with the system's own awk, and each awk with the system's own shell."""


def run_script(
    script: Sequence[str], awk: Sequence[str] | None, scratch: Path, **environment: str
) -> str:
    """What a shell script prints, with `awk` as the awk it finds; raises if it fails."""
    path = os.environ["PATH"]
    if awk:
        program = scratch / "bin" / "awk"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {" ".join(awk)} "$@"\n')
        program.chmod(0o755)
        path = f"{program.parent}:{path}"
    done = subprocess.run(
        list(script), env={"PATH": path, **environment}, capture_output=True, timeout=60, check=True
    )
    assert done.stderr == b""
    return done.stdout.decode("ascii")


def probe(tree: Path, shell: Sequence[str] = ("sh",), **environment: str) -> Any:
    """The document that the probe prints of a tree."""
    text = run_script([*shell, str(PROBE)], None, tree, SYSROOT=str(tree), **environment)
    return json.loads(text)


def program(tree: Path, name: str, text: str) -> None:
    """A tool inside the tree, as a shell script."""
    path = tree / "usr" / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def write_cpus(tree: Path, cpus: dict[int, dict[str, str | bytes]]) -> None:
    """/sys/devices/system/cpu/cpuN with the given files under each."""
    for number, files in cpus.items():
        write_tree(tree / f"sys/devices/system/cpu/cpu{number}", files)


def write_card(tree: Path, pci: str, files: dict[str, str | bytes]) -> None:
    """One PCI function; the given files win over those of a Quadro P5000 without a driver."""
    usual: dict[str, str | bytes] = {
        "vendor": "0x10de",
        "device": "0x1bb0",
        "class": "0x030000",
        "subsystem_vendor": "0x10de",
        "subsystem_device": "0x11b2",
        "numa_node": "-1",
        "max_link_speed": "8.0 GT/s PCIe",
        "max_link_width": "16",
        "current_link_speed": "2.5 GT/s PCIe",
        "current_link_width": "16",
    }
    write_tree(tree / "sys/bus/pci/devices" / pci, usual | files)


def memory_device(
    size_mib: int, kind: int, rated: int, configured: int, bank: str, slot: str, length: int = 92
) -> bytes:
    """One memory device of the SMBIOS table (DSP0134, 7.18), cut to the length of older ones."""
    body = bytearray(92)
    body[0:2] = bytes([17, length])
    short = 0x7FFF if size_mib >= 0x7FFF else size_mib
    struct.pack_into("<H", body, 0x0C, short)
    body[0x10:0x12] = bytes([1, 2])
    body[0x12] = kind
    struct.pack_into("<H", body, 0x15, min(rated, 0xFFFF))
    struct.pack_into("<I", body, 0x1C, size_mib if short == 0x7FFF else 0)
    struct.pack_into("<H", body, 0x20, min(configured, 0xFFFF))
    struct.pack_into("<II", body, 0x54, rated, configured)
    texts = b"".join(text.encode("latin-1") + b"\0" for text in (slot, bank))
    return bytes(body[:length]) + texts + b"\0"


BIOS = bytes([0, 4, 0, 0]) + b"American Megatrends Inc.\0" + b"\0"
END_OF_TABLE = bytes([127, 4, 0, 0, 0, 0])
DDR4, DDR5 = 0x1A, 0x22


def _dimms(channels: Sequence[str], size_mib: int, kind: int, rated: int, real: int) -> bytes:
    devices = (
        memory_device(size_mib, kind, rated, real, f"P{cpu} CHANNEL {channel}", f"DIMM_{channel}1")
        for cpu, letters in enumerate(channels)
        for channel in letters
    )
    return BIOS + b"".join(devices) + END_OF_TABLE


def _system(kernel: str, hostname: str, release: str, glibc: str) -> dict[str, str | bytes]:
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


def _topology(shape: CpuShape, cpu: int) -> dict[str, str | bytes]:
    return {
        "topology/core_id": str(shape.core(cpu) % shape.cores_per_socket),
        "topology/physical_package_id": str(shape.socket(cpu)),
        "topology/core_cpus_list": cpu_list(shape.siblings(cpu)),
        "topology/package_cpus_list": cpu_list(shape.package(cpu)),
    }


def write_box(
    tree: Path,
    system: dict[str, str | bytes],
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

"""Trees of /sys and /proc files for the probe, and the probe run over them."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boxwright.machine import machine_from_json
from tests.lab.hardware.tree import write_tree
from tests.unit.shell import write_program

ROOT = Path(__file__).resolve().parents[2]
PROBE = ROOT / "boxwright" / "facts" / "probe.sh"
FIXTURES = ROOT / "tests" / "fixtures"
MACHINES = FIXTURES / "machines"

Files = dict[str, str | bytes]  # by path below a folder

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
        list(script),
        env={"PATH": path, **environment},
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout.decode("ascii")


def probe(tree: Path, shell: Sequence[str] = ("sh",), **environment: str) -> Any:
    """The document that the probe prints of a tree."""
    text = run_script([*shell, str(PROBE)], None, tree, SYSROOT=str(tree), **environment)
    return json.loads(text)


def cards(tree: Path) -> list[dict[str, Any]]:
    """The cards of the tree's report, which has to be one."""
    report = probe(tree)
    machine_from_json(report)
    found: list[dict[str, Any]] = report["gpus"]
    return found


def card(tree: Path) -> dict[str, Any]:
    """The only card of it."""
    (only,) = cards(tree)
    return only


def program(tree: Path, name: str, text: str) -> None:
    """A tool inside the tree, as a shell script."""
    write_program(tree / "usr" / "bin" / name, text)


def write_cpus(tree: Path, cpus: dict[int, Files]) -> None:
    """/sys/devices/system/cpu/cpuN with the given files under each."""
    for number, files in cpus.items():
        write_tree(tree / f"sys/devices/system/cpu/cpu{number}", files)


def write_card(tree: Path, pci: str, files: Files) -> None:
    """One PCI function; the given files win over those of a Quadro P5000 without a driver."""
    usual: Files = {
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

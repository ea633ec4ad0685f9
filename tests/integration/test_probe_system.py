"""Firmware, system, our own release and measurements, as the probe reads them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kernel_modules import CLOSED, KERNEL, MODULES, ko
from tests.lab.hardware.tree import write_tree
from tests.unit.probing import PAIRS, PROBE, probe, program, run_script, write_card

EFI = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({EFI: b"\x06\0\0\0\x01"}, True),
        ({EFI: b"\x06\0\0\0\0"}, False),
        ({"sys/firmware/efi/fw_platform_size": "64"}, None),  # the variable cannot be read
        ({"sys/firmware/acpi/pm_profile": "1"}, False),  # booted without EFI
        ({}, None),  # not recorded
        ({"sys/firmware/.keep": "", ".dockerenv": ""}, None),  # hidden from a container
    ],
)
def test_secure_boot(files: dict[str, str | bytes], expected: bool | None, tmp_path: Path) -> None:
    write_tree(tmp_path, files)
    assert probe(tmp_path)["secure_boot"] is expected


def system(tree: Path, files: dict[str, str | bytes]) -> Any:
    write_tree(tree, files)
    return probe(tree)["os"]


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ('VERSION_ID="24.04"', "24.04"),
        ("VERSION_ID='9.4'", "9.4"),
        ("VERSION_ID=13\r", "13"),
        ("# VERSION_ID=1", ""),
        (r'VERSION_ID="a\"b\$c\\d"', 'a"b$c\\d'),
    ],
)
def test_os_release_is_read_as_a_shell_would(line: str, version: str, tmp_path: Path) -> None:
    found = system(tmp_path, {"usr/lib/os-release": f"NAME=X\nID=rocky\n{line}"})
    assert (found["id"], found["version_id"]) == ("rocky", version)


@pytest.mark.parametrize(
    ("text", "glibc"),
    [
        ("      echo 'ldd (Debian GLIBC 2.36-9+deb12u14) 2.36'", "2.36"),
        ("    echo 'ldd (Ubuntu GLIBC 2.39-0ubuntu8.6) 2.39'", "2.39"),
        ("      echo 'ldd (GNU libc) 2.34'", "2.34"),
        ("musl libc (x86_64)\nVersion 1.2.5", None),
    ],
)
def test_glibc_is_read_from_the_text_of_ldd(text: str, glibc: str | None, tmp_path: Path) -> None:
    assert system(tmp_path, {"usr/bin/ldd": text})["glibc"] == glibc


@pytest.mark.parametrize(
    ("files", "init"),
    [
        ({"run/systemd/system/.keep": "", "proc/1/comm": "systemd"}, "systemd"),
        ({"proc/1/comm": "openrc-init"}, "openrc-init"),
        ({}, None),
    ],
)
def test_init(files: dict[str, str | bytes], init: str | None, tmp_path: Path) -> None:
    assert system(tmp_path, files)["init"] == init


@pytest.mark.parametrize(
    ("files", "container"),
    [
        ({"run/systemd/container": "systemd-nspawn"}, "systemd-nspawn"),
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": "engine=podman"}, "podman"),
        ({"proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2"}, "wsl"),
        ({}, None),
    ],
)
def test_container(files: dict[str, str | bytes], container: str | None, tmp_path: Path) -> None:
    write_tree(tmp_path, files)
    assert probe(tmp_path)["container"] == container


def test_the_kernel_comes_from_the_tree_and_never_from_uname(tmp_path: Path) -> None:
    assert system(tmp_path, {})["kernel"] == ""
    text = "Linux version 5.10.0-9-amd64 (x@y) (gcc) #1 SMP"
    assert system(tmp_path, {"proc/version": text})["kernel"] == "5.10.0-9-amd64"
    assert system(tmp_path, {"proc/sys/kernel/osrelease": b"6.8.0-60-generic"})["kernel"] == (
        "6.8.0-60-generic"
    )


def test_no_tool_of_this_machine_is_run_for_a_tree(tmp_path: Path) -> None:
    """Tools in PATH that would tell about this machine leave a trace if they are called."""
    outside = tmp_path / "outside"
    for name in ("nvidia-smi", "dmidecode", "systemctl", "modinfo", "uname", "getconf", "df"):
        program(outside, name, f"touch {tmp_path}/called-{name}")
    tree = tmp_path / "tree"
    write_card(tree, "0000:01:00.0", {})
    write_tree(
        tree,
        {
            "etc/systemd/system/llama-server.service": "[Unit]",
            "proc/driver/nvidia/version": CLOSED,
            f"{MODULES}/updates/dkms/nvidia.ko": ko("580.95.05", "NVIDIA"),
            "proc/sys/kernel/osrelease": KERNEL,
        },
    )
    path = f"{outside}/usr/bin:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(PROBE)],
        env={"PATH": path, "SYSROOT": f"{tree}//"},
        capture_output=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert report["nvidia"]["installed"] == "580.95.05"
    assert report["llama"]["service"] == "unknown"
    assert list(tmp_path.glob("called-*")) == []


def test_the_current_release_and_the_model_of_the_running_service(tmp_path: Path) -> None:
    stamp = json.dumps({"schema": "boxwright.release/1", "release": "r", "build": "b11669"})
    write_tree(
        tmp_path,
        {
            "opt/llama.cpp/b11669-12.8-x86_64/boxwright.json": stamp,
            "opt/llama.cpp/current": "-> b11669-12.8-x86_64",
            "usr/lib/systemd/system/llama-server.service": "[Unit]",
            "proc/77/cmdline": b"llama-server\0-m\0/srv/models/m/q/model-00001-of-00003.gguf\0",
        },
    )
    program(tmp_path, "systemctl", "echo ActiveState=activating; echo MainPID=77")
    assert probe(tmp_path)["llama"] == {
        "build": "b11669",
        "service": "activating",
        "model": "model-00001-of-00003.gguf",
    }


@pytest.mark.parametrize(("shell", "awk"), PAIRS)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '{"read_gb_s": 118.4, "modules": "00c0ffee00c0ffee"}\n',
            {"read_gb_s": 118.4, "modules": "00c0ffee00c0ffee"},
        ),
        ('{"read_gb_s": 61.0, "modules": "0a"}', {"read_gb_s": 61.0, "modules": "0a"}),
        ('{"read_gb_s": 0.0, "modules": "0a"}', None),
        ('{"read_gb_s": 61.0, "modu', None),
        ('{"read_gb_s": 1.0, "modules": "0a"}, "dimms": "x"', None),
        ('{"read_gb_s": 1.0, "modules": "0a\\"b"}', None),
        ("", None),
    ],
)
def test_what_bench_measured_of_the_memory_is_told(
    tmp_path: Path, shell: list[str], awk: list[str] | None, text: str, told: Any
) -> None:
    write_tree(tmp_path, {"var/lib/boxwright/memory.json": text})
    printed = run_script([*shell, str(PROBE)], awk, tmp_path, SYSROOT=str(tmp_path))
    assert json.loads(printed)["memory"]["measured"] == told

"""A driver that was installed shows at the next boot only, and only on a card that takes it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab, brought_up, lab_beside
from tests.lab.hosts import host_named
from tests.lab.world.driver_files import module_for_kernel

pytestmark = pytest.mark.lab

OPEN, PROPRIETARY = "open", "proprietary"


@pytest.fixture(scope="module")
def own() -> Iterator[RunningLab]:
    with brought_up(lab_beside("driver-state", 2)) as running:
        yield running


@dataclass(frozen=True)
class Shown:
    """What a host says of its first card."""

    loaded: str
    bound_to: str
    cards_answering: int


def shown(own: RunningLab, host: str) -> Shown:
    lines = own.run(
        host,
        "cat /sys/module/nvidia/version 2>/dev/null || echo none;"
        "lspci -k -d ::0300 | sed -n 's/.*driver in use: //p' | sort -u | grep . || echo none;"
        "wc -l </lab/gpus.csv",
    ).splitlines()
    return Shown(lines[0], lines[1], int(lines[2]))


def install(
    own: RunningLab, host: str, version: str, flavour: str, tmp_path: Path, kernel: str = ""
) -> None:
    """Lay the files that a driver package lays, straight on the host's disk."""
    module = tmp_path / "nvidia.ko"
    kernel = kernel or host_named(host).kernel
    module.write_bytes(module_for_kernel(version, flavour, kernel))
    subprocess.run(
        ["scp", "-q", "-F", own.document["ssh"]["config"], str(module), f"{host}:/tmp/nvidia.ko"],
        check=True,
    )
    own.run(
        host,
        "k=$(cat /proc/sys/kernel/osrelease); d=/lib/modules/$k/updates/dkms;"
        "sudo mkdir -p $d && sudo mv /tmp/nvidia.ko $d/ &&"
        "echo blacklist nouveau | sudo tee /etc/modprobe.d/blacklist-nouveau.conf",
    )


@pytest.mark.parametrize(
    ("host", "version", "flavour", "expected"),
    [
        ("xeon", "580.173.02", PROPRIETARY, Shown("580.173.02", "nvidia", 2)),
        ("xeon", "580.173.02", OPEN, Shown("none", "none", 0)),
        ("xeon", "595.71.05", PROPRIETARY, Shown("none", "none", 0)),
        ("ryzen", "620.14.02", OPEN, Shown("620.14.02", "nvidia", 1)),
        ("ryzen", "580.173.02", PROPRIETARY, Shown("580.173.02", "nvidia", 0)),
        ("pro6000", "550.163.01", OPEN, Shown("none", "none", 0)),
    ],
)
def test_only_a_suitable_driver_shows_and_only_after_a_boot(
    own: RunningLab, tmp_path: Path, host: str, version: str, flavour: str, expected: Shown
) -> None:
    before = shown(own, host)
    install(own, host, version, flavour, tmp_path)
    assert shown(own, host) == before
    own.reboot(host)
    assert shown(own, host) == expected


def test_nouveau_keeps_the_card_unless_it_is_blacklisted(own: RunningLab, tmp_path: Path) -> None:
    install(own, "ryzen", "620.14.02", OPEN, tmp_path)
    own.run("ryzen", "rm /etc/modprobe.d/blacklist-nouveau.conf")
    own.reboot("ryzen")
    assert shown(own, "ryzen") == Shown("none", "nouveau", 0)
    assert own.run("ryzen", "ls /sys/module | grep -c '^nouveau$'") == "1\n"


def test_a_module_built_for_another_kernel_does_not_load(own: RunningLab, tmp_path: Path) -> None:
    install(own, "ryzen", "620.14.02", OPEN, tmp_path, kernel="6.12.41+deb13-amd64")
    own.reboot("ryzen")
    assert shown(own, "ryzen") == Shown("none", "none", 0)


@pytest.mark.parametrize(
    ("flavour", "name"),
    [(OPEN, "Open Kernel Module for x86_64  620.14.02"), (PROPRIETARY, "Kernel Module  620.14.02")],
)
def test_the_version_file_names_the_flavour(
    own: RunningLab, tmp_path: Path, flavour: str, name: str
) -> None:
    install(own, "ryzen", "620.14.02", flavour, tmp_path)
    own.reboot("ryzen")
    text = own.run("ryzen", "cat /proc/driver/nvidia/version")
    assert text.startswith("NVRM version: NVIDIA UNIX ")
    assert name in text

"""deploy/driver.py on fresh hosts: each system and card gets the driver that NVIDIA's rules name.

What is expected is of reference/nvidia.md, sections 1, 3.2 and 3.7; what is there is asked of dpkg,
modinfo, /proc and nvidia-smi. Six hosts in one run, the lab's four are not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.conftest import RunningLab, fresh_spares
from tests.lab.far import Far
from tests.lab.hosts import host_named
from tests.lab.runs import Run, run, spares

pytestmark = pytest.mark.lab

DRIVER = "deploy/driver.py"


@dataclass(frozen=True)
class Expected:
    """The driver a host is to have; `module` is what its kernel module package is called."""

    version: str
    licence: str
    module: str
    file: str = "nvidia"


HOSTS = {
    "pascal12": Expected("580.178.04", "NVIDIA", "nvidia-kernel-dkms"),
    # NVIDIA's repository for Debian 13 has no branch that serves a Pascal, Debian's archive has
    "pascal13": Expected("550.163.01", "NVIDIA", "nvidia-kernel-dkms", file="nvidia-current"),
    "pascalubuntu": Expected("580.173.02", "NVIDIA", "nvidia-dkms-580-server"),
    "blackwell12": Expected("620.36.01", "Dual MIT/GPL", "nvidia-kernel-open-dkms"),
    "blackwell13": Expected("620.36.01", "Dual MIT/GPL", "nvidia-kernel-open-dkms"),
    "blackwellubuntu": Expected("580.173.02", "Dual MIT/GPL", "nvidia-dkms-580-server-open"),
}

OPTIONS: dict[str, dict[str, str]] = {name: {"model": "tiny-moe"} for name in HOSTS}
# no release runs on driver 550, and the lab has the sources of one build
OPTIONS["pascal13"]["runtime_build"] = "b11434"


@dataclass(frozen=True)
class Driven:
    """The run that drove all hosts, the boots before it, and the inventory."""

    run: Run
    boots: dict[str, str]
    inventory: str


@pytest.fixture(scope="module")
def driven(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    with fresh_spares(lab, HOSTS):
        boots = {name: lab.boot_id(name) for name in HOSTS}
        inventory = spares(lab, tmp_path_factory.mktemp("driven"), OPTIONS)
        yield Driven(run(lab, inventory, DRIVER), boots, inventory)


def test_every_fresh_host_is_driven_in_one_run(driven: Driven) -> None:
    assert driven.run.code == 0, driven.run.log[-6000:]
    assert driven.run.failed == set()


@pytest.mark.parametrize("name", HOSTS)
def test_the_planned_packages_are_there_and_held(
    lab: RunningLab, driven: Driven, name: str
) -> None:
    far, expected = Far(lab, name), HOSTS[name]
    asked = f"dpkg-query -W -f '${{Version}} ${{db:Status-Abbrev}}' {expected.module}"
    version, _, status = far.said(asked).partition(" ")
    assert version.startswith(expected.version)
    assert status == "hi", "held, installed"
    installed = far.said("dpkg-query -W -f '${Package} ${db:Status-Status}\\n'").splitlines()
    names = {line.split()[0] for line in installed if line.endswith(" installed")}
    assert not {n for n in names if n == "cuda-drivers" or n.startswith("cuda-compat")}


@pytest.mark.parametrize("name", HOSTS)
def test_the_host_booted_once_and_loaded_that_module(
    lab: RunningLab, driven: Driven, name: str
) -> None:
    far, expected = Far(lab, name), HOSTS[name]
    assert far.said("cat /proc/sys/kernel/random/boot_id") != driven.boots[name]
    assert f"  {expected.version}  " in far.said("head -n1 /proc/driver/nvidia/version")
    kernel = host_named(name).kernel
    path = far.said(f"find /lib/modules/{kernel} -name '{expected.file}.ko'")
    assert far.said(f"modinfo -F license {path}") == expected.licence
    assert far.said(f"modinfo -F version {path}") == expected.version
    assert far.said(f"modinfo -F vermagic {path}").startswith(f"{kernel} ")
    assert far.said("readlink -f /sys/bus/pci/devices/0000:01:00.0/driver").endswith("/nvidia")


@pytest.mark.parametrize("name", HOSTS)
def test_nvidia_smi_lists_the_card(lab: RunningLab, driven: Driven, name: str) -> None:
    (card,) = host_named(name).cards
    listed = Far(lab, name).said(
        "nvidia-smi --query-gpu=pci.bus_id,name,driver_version,persistence_mode"
        " --format=csv,noheader"
    )
    bus = "00000000:01:00.0"
    assert listed == f"{bus}, {card.card.smi_name}, {HOSTS[name].version}, Enabled"


def test_a_second_run_changes_nothing(lab: RunningLab, driven: Driven) -> None:
    before = {name: lab.boot_id(name) for name in HOSTS}
    again = run(lab, driven.inventory, DRIVER)
    assert again.code == 0, again.log[-6000:]
    assert (again.totals["success"], again.totals["error"]) == (0, 0)
    assert {name: lab.boot_id(name) for name in HOSTS} == before

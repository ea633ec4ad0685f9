"""The driver role's packages on apt hosts: which go and come, and what is held."""

from __future__ import annotations

import re

import pytest

from boxwright.operation.apt import Candidates
from roles.driver import load, operations, proofs
from roles.driver.state import BuildReport
from tests.unit.driver_hosts import NEWEST, NVIDIA_620, ryzen
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box

HEADERS = ("linux-headers-6.12.48+deb13-amd64", "linux-headers-amd64")
DRIVER = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced")


def candidates(**versions: str) -> dict[str, str]:
    known = {name: NEWEST for name in DRIVER} | {name: "6.12.48-1" for name in HEADERS}
    return known | {name.replace("_", "-"): version for name, version in versions.items()}


def offering(host: RoleHost, **versions: str) -> RoleHost:
    host.facts[Candidates] = lambda names: {
        name: version for name, version in candidates(**versions).items() if name in names
    }
    return host


def names_in(command: str) -> set[str]:
    """The words of an apt-get command that are packages here."""
    return {word for word in command.replace("'", " ").split() if word in {*DRIVER, *HEADERS}}


def test_a_fresh_host_gets_driver_and_headers_without_recommends() -> None:
    host = offering(box(ryzen()))
    lists, install = host.run(operations.install_packages_of_branch)
    assert "--error-on=any" in lists
    assert "--no-install-recommends" in install
    assert names_in(install.split(" ; } 2>&1")[0]) == {*DRIVER, *HEADERS}


def test_packages_as_planned_are_left_alone() -> None:
    host = offering(box(ryzen(**NVIDIA_620)))
    host.install(*DRIVER, version=NEWEST)
    host.install(*HEADERS, version="6.12.48-1")
    assert host.run(operations.install_packages_of_branch) == []


def test_an_installation_cut_short_is_completed() -> None:
    """The module is there, the tool is not: a killed apt-get had unpacked only some packages."""
    host = offering(box(ryzen(**{**NVIDIA_620, "userspace": None})))
    host.install("nvidia-kernel-open-dkms", version=NEWEST)
    host.install(*HEADERS, version="6.12.48-1")
    *_, install = host.run(operations.install_packages_of_branch)
    assert names_in(install.split(" ; } 2>&1")[0]) == {"nvidia-driver-cuda", "nvidia-persistenced"}


def test_another_flavour_of_the_same_branch_is_replaced_whole() -> None:
    wrong = {**NVIDIA_620, "installed": "595.58.03", "userspace": "595.58.03"}
    host = offering(box(ryzen(**{**wrong, "flavour": "proprietary"})))
    host.install("nvidia-driver-cuda", "nvidia-persistenced", version="595.58.03-1", held=True)
    host.install("nvidia-kernel-dkms", version="595.58.03-1", held=True)
    host.install(*HEADERS, version="6.12.48-1")

    def purge(it: RoleHost) -> None:
        it.packages = {n: one for n, one in it.packages.items() if not n.startswith("nvidia")}

    host.effects["apt-get remove"] = purge
    lists, remove, install = host.run(operations.install_packages_of_branch)
    assert "apt-get update" in lists
    assert "nvidia-kernel-dkms" in remove and "--allow-change-held-packages" in remove
    assert names_in(install.split(" ; } 2>&1")[0]) == set(DRIVER), "also what was only taken away"


def test_nothing_is_removed_when_the_right_driver_cannot_come() -> None:
    wrong = {**NVIDIA_620, "installed": "595.58.03", "userspace": "595.58.03"}
    host = offering(
        box(ryzen(**{**wrong, "flavour": "proprietary"})), nvidia_driver_cuda="595.58.03-1"
    )
    host.install("nvidia-kernel-dkms", version="595.58.03-1")
    sent = host.run(operations.install_packages_of_branch)
    assert not [command for command in sent if "apt-get remove" in command]
    assert host.refusal is not None
    assert "595.58.03-1" in host.refusal and "620.*" in host.refusal


def test_headers_that_are_gone_from_the_archive_are_told_with_their_cure() -> None:
    host = box(ryzen())
    host.facts[Candidates] = lambda names: {n: NEWEST for n in names if n != HEADERS[0]}
    host.run(operations.install_packages_of_branch)
    assert host.refusal is not None
    assert HEADERS[0] in host.refusal and "dist-upgrade" in host.refusal


def test_a_package_in_no_source_is_named() -> None:
    host = box(ryzen())
    host.facts[Candidates] = lambda names: {n: NEWEST for n in names if n != "nvidia-persistenced"}
    host.run(operations.install_packages_of_branch)
    assert host.refusal is not None and "nvidia-persistenced" in host.refusal


@pytest.mark.parametrize(
    ("said", "built"),
    [
        ("Error! Bad return status for module build on kernel: 6.12", True),
        ("E: Unable to fetch some archives", False),
    ],
)
def test_a_build_that_fails_within_a_package_is_told_by_its_log(said: str, built: bool) -> None:
    """The log of an older build says nothing of a download that fails."""
    host = offering(box(ryzen()))
    host.facts[BuildReport] = ("nv.c:1:2: error: no such member",)
    host.fails_next = lambda text: "apt-get install" in text
    host.answers["apt-get install"] = (said,)
    host.run(operations.install_packages_of_branch)
    assert host.refusal is not None and said.removeprefix("E: ") in host.refusal
    assert ("nv.c:1:2: error: no such member" in host.refusal) == built


def test_a_driver_from_nvidia_s_installer_file_is_kept_without_packages() -> None:
    host = offering(box(ryzen(**NVIDIA_620)))
    host.install(*HEADERS, version="6.12.48-1")
    assert host.run(operations.install_packages_of_branch) == []


def test_a_host_without_a_card_gets_nothing() -> None:
    host = box(machine("plain"))
    assert host.run(operations.install_packages_of_branch) == []
    assert host.run(operations.hold_packages) == []
    assert host.run(load.load_driver) == []
    assert host.run(proofs.prove_cards) == []


def test_candidates_are_read_from_apt_cache_policy() -> None:
    said = """nvidia-driver-cuda:
  Installed: (none)
  Candidate: 620.36.01-1
  Version table:
     620.36.01-1 1001
        500 http://mirror/ Packages
libcuda1:
  Installed: 580.1
  Candidate: (none)
  Version table:""".splitlines()
    assert Candidates().process(said) == {"nvidia-driver-cuda": "620.36.01-1"}


def test_only_what_is_installed_and_free_is_held_once() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.install("nvidia-driver-cuda", "libcuda1", version=NEWEST)
    host.install("libnvidia-ml1", version=NEWEST, held=True)
    hold, *_ = host.run(operations.hold_packages)
    held = re.search(r"apt-mark hold ([^>]*) ; } 2>&1", hold)
    assert held is not None and set(held[1].split()) == {"nvidia-driver-cuda", "libcuda1"}
    assert "Package-Blacklist" in host.files[operations.NO_UPGRADES]
    host.install("nvidia-driver-cuda", "libcuda1", version=NEWEST, held=True)
    assert host.run(operations.hold_packages) == []

"""The driver role's packages on apt hosts: which come, and what is told when one cannot."""

from __future__ import annotations

import pytest

from boxwright.operation.apt import Candidates
from roles.driver import load, operations, proofs
from roles.driver.state import BuildReport
from tests.unit.driver_apt import DRIVER, HEADERS, names_in, offering
from tests.unit.driver_hosts import NEWEST, NVIDIA_620, ryzen
from tests.unit.plans import machine
from tests.unit.role_host import box


def test_a_fresh_host_gets_driver_and_headers_without_recommends() -> None:
    host = offering(box(ryzen()))
    lists, rehearsal, install = host.run(operations.install_packages_of_branch)
    assert "--error-on=any" in lists
    assert names_in(rehearsal.split(" ; } 2>&1")[0]) == {*DRIVER, *HEADERS}
    assert "apt-get -s install" in rehearsal
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


def test_headers_that_are_gone_from_the_archive_are_told_with_their_cure() -> None:
    host = box(ryzen())
    host.facts[Candidates] = lambda names, options: {n: NEWEST for n in names if n != HEADERS[0]}
    host.run(operations.install_packages_of_branch)
    assert host.refusal is not None
    assert HEADERS[0] in host.refusal and "dist-upgrade" in host.refusal


def test_a_package_in_no_source_is_named() -> None:
    host = box(ryzen())
    host.facts[Candidates] = lambda names, options: {
        n: NEWEST for n in names if n != "nvidia-persistenced"
    }
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

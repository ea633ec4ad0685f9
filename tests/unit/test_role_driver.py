"""The driver role's packages on apt hosts: which go and come, and what is held."""

from __future__ import annotations

import re

import pytest

from boxwright.operation.apt import Candidates
from roles.driver import load, operations, proofs
from roles.driver.state import BuildReport
from tests.unit.driver_hosts import NEWEST, NVIDIA_620, on, ryzen
from tests.unit.plans import PASCAL, UBUNTU, machine
from tests.unit.role_host import RoleHost, box

HEADERS = ("linux-headers-6.12.48+deb13-amd64", "linux-headers-amd64")
WRONG_595 = {
    "loaded": None, "installed": "595.58.03", "flavour": "proprietary", "userspace": "595.58.03",
}  # fmt: skip
DRIVER = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced")


def candidates(**versions: str) -> dict[str, str]:
    known = {name: NEWEST for name in DRIVER} | {name: "6.12.48-1" for name in HEADERS}
    return known | {name.replace("_", "-"): version for name, version in versions.items()}


def offering(host: RoleHost, **versions: str) -> RoleHost:
    host.facts[Candidates] = lambda names, options: {
        name: version for name, version in candidates(**versions).items() if name in names
    }
    return host


def names_in(command: str) -> set[str]:
    """The words of an apt-get command that are packages here."""
    return {word for word in command.replace("'", " ").split() if word in {*DRIVER, *HEADERS}}


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


def test_another_flavour_of_the_same_branch_is_replaced_whole() -> None:
    wrong = {**NVIDIA_620, "installed": "595.58.03", "userspace": "595.58.03"}
    host = offering(box(ryzen(**{**wrong, "flavour": "proprietary"})))
    host.install("nvidia-driver-cuda", "nvidia-persistenced", version="595.58.03-1", held=True)
    host.install("nvidia-kernel-dkms", version="595.58.03-1", held=True)
    host.install(*HEADERS, version="6.12.48-1")
    host.effects["apt-get install"] = arrived
    host.answers["apt-get -s install"] = ("Purg nvidia-kernel-dkms [595.58.03-1]",)
    lists, rehearsal, install = host.run(operations.install_packages_of_branch)
    assert "apt-get update" in lists
    words = install.split(" ; } 2>&1")[0].split()
    assert words[-5:] == rehearsal.split(" ; } 2>&1")[0].split()[-5:]
    assert [one for one in words if one.endswith("-")] == ["nvidia-kernel-dkms-"]
    assert "--purge" in words
    assert "--allow-change-held-packages" in words
    assert names_in(" ".join(words)) == set(DRIVER)
    assert host.run(operations.install_packages_of_branch) == []


def test_what_the_new_driver_needs_too_is_renewed_and_not_taken_away() -> None:
    """`libcuda1-` beside a driver that depends on libcuda1 is more than apt can do; held packages
    are renewed only by their names."""
    host = offering(
        box(ryzen(**WRONG_595)),
        libcuda1=NEWEST, libnvidia_cfg1=NEWEST, nvidia_modprobe=NEWEST, nvidia_smi="550.163.01-2",
    )  # fmt: skip
    host.install(*DRIVER, "libcuda1", version="595.58.03-1", held=True)
    host.install("nvidia-modprobe", version="595.58.03-1", held=True)
    host.install("libnvidia-cfg1:i386", "libnvidia-cfg1", "nvidia-smi", version="595.58.03-1")
    host.install(*HEADERS, version="6.12.48-1")

    def renewed(it: RoleHost) -> None:
        it.install(*DRIVER, "libcuda1", "nvidia-modprobe", version=NEWEST)
        for name in ("nvidia-smi", "libnvidia-cfg1:i386"):
            it.packages.pop(name, None)

    host.effects["apt-get install"] = renewed
    _, _, install, _, leftover = host.run(operations.install_packages_of_branch)
    words = install.split(" ; } 2>&1")[0].split()
    words = words[words.index("--allow-change-held-packages") + 1 :]
    assert set(words) == {
        *DRIVER, "libcuda1", "nvidia-modprobe", "nvidia-smi-", "libnvidia-cfg1:i386-",
    }  # fmt: skip
    assert " libnvidia-cfg1- ;" in leftover, "neither needed nor of the branch"


def arrived(it: RoleHost) -> None:
    it.packages = {n: one for n, one in it.packages.items() if not n.startswith("nvidia")}
    it.install(*DRIVER, version=NEWEST)


def test_the_old_driver_stays_until_the_new_one_is_on_the_disk() -> None:
    """A download that breaks off fails the one transaction, and nothing was removed before it."""
    wrong = {**NVIDIA_620, "installed": "595.58.03", "userspace": "595.58.03"}
    host = offering(box(ryzen(**{**wrong, "flavour": "proprietary"})))
    host.install("nvidia-kernel-dkms", version="595.58.03-1")
    host.fails_next = lambda text: "apt-get install" in text
    host.answers["apt-get install"] = ("E: Unable to fetch some archives",)
    *_, install, _ = host.run(operations.install_packages_of_branch)
    assert not any(" remove " in command for command in host.sent)
    assert "nvidia-kernel-dkms-" in install and "nvidia-kernel-open-dkms" in install


@pytest.mark.parametrize(
    ("goes", "refused"),
    [
        ("Remv nvidia-settings [550.1]", False),
        ("Purg libnvidia-compute-595:i386 [595.1]", False),
        ("Remv cuda-toolkit-12-8 [12.8.1]", True),
        ("Remv nvidia-container-toolkit [1.18]", True),
        ("Remv nvidia-cuda-toolkit [12.4]", True),
    ],
)
def test_nothing_but_parts_of_a_driver_goes_with_it(goes: str, refused: bool) -> None:
    host = offering(box(ryzen()))
    host.answers["apt-get -s install"] = ("Inst nvidia-driver-cuda (620.36.01-1)", goes)
    sent = host.run(operations.install_packages_of_branch)
    assert any("apt-get install" in command for command in sent) != refused
    assert (host.refusal is not None and goes.split()[1] in host.refusal) == refused


def test_what_is_planned_is_not_taken_for_the_old_driver() -> None:
    """The old branch's module is on the disk beside this branch's libraries: half a change."""
    host = offering(box(ryzen(**{**NVIDIA_620, "installed": "595.58.03"})))
    host.install(*DRIVER, "libnvidia-ml1", "libcuda1", version=NEWEST)
    host.install("libnvidia-gpucomp", version=NEWEST)
    host.install("nvidia-kernel-common", version="20240109+1")
    host.install(*HEADERS, version="6.12.48-1")
    assert host.run(operations.install_packages_of_branch) == []
    host.install("nvidia-driver-pinning-595", version="595-1")
    host.install("nvidia-kernel-dkms", version=NEWEST)
    _, _, change, *_ = host.run(operations.install_packages_of_branch)
    words = change.split(" ; } 2>&1")[0].split()
    assert {word for word in words if word.endswith("-") and not word.startswith("-")} == {
        "nvidia-driver-pinning-595-", "nvidia-kernel-dkms-",
    }  # fmt: skip


def test_the_flavour_that_is_loaded_but_gone_from_the_disk_removes_nothing() -> None:
    host = offering(
        box(ryzen(loaded="620.36.01", installed=None, flavour="proprietary", userspace="620.36.01"))
    )
    host.install(*DRIVER, version=NEWEST)
    host.install(*HEADERS, version="6.12.48-1")
    assert host.run(operations.install_packages_of_branch) == []


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


DESKTOP = (
    "nvidia-driver-580", "nvidia-dkms-580", "nvidia-utils-580", "libnvidia-compute-580",
    "libnvidia-gl-580",
)  # fmt: skip
SIGNED = "linux-modules-nvidia-580-server-6.8.0-60-generic"
KEPT_580 = {
    "loaded": "580.178.04", "installed": "580.178.04", "flavour": "proprietary",
    "userspace": "580.178.04",
}  # fmt: skip


def held_by(host: RoleHost) -> set[str]:
    hold, *_ = host.run(operations.hold_packages)
    found = re.search(r"apt-mark hold ([^>]*) ; } 2>&1", hold)
    return set(found[1].split()) if found else set()


def test_a_kept_driver_from_elsewhere_is_held_by_what_it_is_made_of() -> None:
    host = on(UBUNTU, PASCAL, nvidia=KEPT_580)
    host.install(*DESKTOP, "nvidia-container-toolkit", "libnvidia-container1", version="580.178.04")
    assert held_by(host) == set(DESKTOP)
    host.install(*DESKTOP, version="580.178.04", held=True)
    assert host.run(operations.hold_packages) == []
    host.install("nvidia-dkms-580-server", version="580.178.04")
    assert held_by(host) == {"nvidia-dkms-580-server"}, "the source's own packages are the measure"


def test_with_signed_modules_nothing_is_held_and_former_holds_go() -> None:
    """A new kernel's module depends on nvidia-kernel-common of the version it was made of."""
    host = on(UBUNTU, PASCAL, nvidia=KEPT_580)
    host.install("nvidia-kernel-common-580-server", version="580.178.04", held=True)
    host.install(SIGNED, version="6.8.0-60.63")
    assert host.run(operations.hold_packages) == [], "a hold of the user's stays"
    host.files[operations.NO_UPGRADES] = "written with our holds"
    unhold, gone = host.run(operations.hold_packages)
    assert "apt-mark unhold nvidia-kernel-common-580-server ;" in unhold
    assert gone == f"rm -f {operations.NO_UPGRADES}"


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

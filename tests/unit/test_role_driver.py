"""The driver role: which packages go and come, what is held, the module, the one reboot, proofs."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.facts.files import FileContents

from boxwright.machine import Machine
from roles.driver import kernel, operations, proofs
from roles.driver.operations import Candidates
from roles.driver.proofs import NvidiaSmi, ToolAnswer, sysfs_address
from roles.driver.state import BuildReport, KernelReport, Nouveau, NouveauState
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box

CARD = "0000:01:00.0"
NEWEST = "620.36.01-1"
NVIDIA_620 = {"loaded": None, "installed": "620.36.01", "flavour": "open", "userspace": "620.36.01"}
HEADERS = ("linux-headers-6.12.48+deb13-amd64", "linux-headers-amd64")
DRIVER = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced")


def ryzen(**nvidia: Any) -> Machine:
    """The box with a Blackwell card; `nvidia` is the state of its driver."""
    return machine("ryzen", nvidia=nvidia) if nvidia else machine("ryzen")


def driven(found: Machine, loaded: str | None) -> Machine:
    """The same machine after a boot with this driver loaded."""
    cards = tuple(replace(card, driver="nvidia" if loaded else "nouveau") for card in found.gpus)
    return replace(found, nvidia=replace(found.nvidia, loaded=loaded), gpus=cards)


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


# -- packages ----------------------------------------------------------------------------------


def test_a_fresh_host_gets_driver_and_headers_without_recommends() -> None:
    host = offering(box(ryzen()))
    lists, install = host.run(operations.install_packages_of_branch)
    assert "--error-on=any" in lists
    assert "--no-install-recommends" in install
    assert names_in(install.split(" 2>&1")[0]) == {*DRIVER, *HEADERS}


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
    assert names_in(install.split(" 2>&1")[0]) == {"nvidia-driver-cuda", "nvidia-persistenced"}


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
    assert names_in(install.split(" 2>&1")[0]) == set(DRIVER), "also what was only taken away"


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


def test_a_driver_from_nvidia_s_installer_file_is_kept_without_packages() -> None:
    host = offering(box(ryzen(**NVIDIA_620)))
    host.install(*HEADERS, version="6.12.48-1")
    assert host.run(operations.install_packages_of_branch) == []


def test_a_host_without_a_card_gets_nothing() -> None:
    host = box(machine("plain"))
    assert host.run(operations.install_packages_of_branch) == []
    assert host.run(operations.hold_packages) == []
    assert host.run(kernel.load_by_reboot) == []
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
    assert set(hold.split()[2:]) == {"nvidia-driver-cuda", "libcuda1"}
    assert "Package-Blacklist" in host.files[operations.NO_UPGRADES]
    host.install("nvidia-driver-cuda", "libcuda1", version=NEWEST, held=True)
    assert host.run(operations.hold_packages) == []


# -- the kernel --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "blacklists", "renews"),
    [
        (NouveauState(off=True, loaded=True, stale_initramfs=False), False, False),
        (NouveauState(off=True, loaded=True, stale_initramfs=True), False, True),
        (NouveauState(off=True, loaded=False, stale_initramfs=True), False, False),
        (NouveauState(off=False, loaded=True, stale_initramfs=False), True, False),
    ],
)
def test_nouveau_is_kept_off_only_as_far_as_needed(
    state: NouveauState, blacklists: bool, renews: bool
) -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts[Nouveau] = state
    sent = host.run(kernel.keep_nouveau_off)
    assert (kernel.BLACKLIST in host.files) is blacklists
    assert any("update-initramfs -u -k 6.12.48+deb13-amd64" in one for one in sent) is renews


def test_no_reboot_is_tried_without_a_module_and_the_reason_is_told() -> None:
    host = box(ryzen())
    host.facts[BuildReport] = ("dkms status: nvidia/620.36.01: added", "error: no member `foo'")
    sent = host.run(kernel.have_module)
    assert "dkms autoinstall -k 6.12.48+deb13-amd64" in sent[0]
    assert host.refusal is not None
    assert "added" in host.refusal and "no member" in host.refusal
    assert "6.12.48+deb13-amd64" in host.refusal


def test_a_build_that_was_cut_short_is_done_again() -> None:
    host = box(ryzen())

    def build(it: RoleHost) -> None:
        it.machine = ryzen(**NVIDIA_620)

    host.effects["dkms autoinstall"] = build
    assert len(host.run(kernel.have_module)) == 1
    assert host.refusal is None


@pytest.mark.parametrize(
    ("nvidia", "told"),
    [
        ({"installed": "595.58.03", "userspace": "595.58.03", "flavour": "proprietary"}, "595"),
        ({"installed": "620.36.01", "userspace": "595.58.03", "flavour": "open"}, "595.58.03"),
    ],
    ids=["flavour", "libraries"],
)
def test_parts_that_do_not_fit_are_refused_before_the_reboot(
    nvidia: dict[str, str], told: str
) -> None:
    host = box(ryzen(loaded=None, **nvidia))
    host.run(kernel.have_module)
    assert host.refusal is not None and told in host.refusal


def reboots(host: RoleHost) -> int:
    return sum("systemctl reboot" in command for command in host.sent)


def test_it_reboots_once_when_another_driver_is_loaded() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts[FileContents] = ["boot-1"]

    def boot(it: RoleHost) -> None:
        it.machine = driven(ryzen(**NVIDIA_620), "620.36.01")

    host.effects["systemctl reboot"] = boot
    host.run(kernel.load_by_reboot)
    assert (reboots(host), host.refusal) == (1, None)
    host.run(kernel.load_by_reboot)
    assert reboots(host) == 1, "what is loaded is not rebooted for"


def test_a_reboot_that_does_not_help_is_told_with_the_kernel_s_words() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts |= {FileContents: ["boot-1"], KernelReport: ("NVRM: GPU is not supported",)}
    host.run(kernel.load_by_reboot)
    assert reboots(host) == 1
    assert host.refusal is not None and "NVRM: GPU is not supported" in host.refusal


def test_a_host_that_may_not_be_rebooted_is_told_so() -> None:
    host = box(ryzen(**NVIDIA_620), driver_reboot=False)
    host.run(kernel.load_by_reboot)
    assert reboots(host) == 0
    assert host.refusal is not None and "driver_reboot" in host.refusal


# -- proofs ------------------------------------------------------------------------------------


def proved(found: Machine, *cards: str, exit_code: int = 0, said: str = "", **data: Any) -> str:
    """The refusal of the proof that nvidia-smi lists every card, or nothing."""
    host = box(found, **data)
    answer = ToolAnswer(tuple((card, "620.36.01") for card in cards), exit_code, said)
    host.facts |= {NvidiaSmi: answer, KernelReport: ("NVRM: fell off",)}
    host.run(proofs.prove_cards)
    return host.refusal or ""


LOADED = driven(ryzen(**NVIDIA_620), "620.36.01")
SECOND = replace(LOADED.gpus[0], pci="0000:82:00.0")


def test_every_card_that_the_probe_saw_has_to_be_listed() -> None:
    two = replace(LOADED, gpus=(*LOADED.gpus, SECOND))
    assert proved(LOADED, CARD) == ""
    assert proved(two, CARD, "0000:82:00.0") == ""
    missing = proved(two, CARD)
    assert "1 of 2 cards" in missing and "0000:82:00.0" in missing and "NVRM: fell off" in missing
    assert "exit 9: couldn't" in proved(LOADED, exit_code=9, said="couldn't communicate")


def test_cards_that_are_not_ours_need_not_be_listed() -> None:
    two = replace(LOADED, gpus=(*LOADED.gpus, SECOND))
    assert proved(two, CARD, ignore_gpus=("0000:82:00.0",)) == ""
    passed_through = replace(LOADED, gpus=(*LOADED.gpus, replace(SECOND, driver="vfio-pci")))
    assert proved(passed_through, CARD) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"loaded": "620.22.03"}, "620.22.03"),
        ({"loaded": None}, "the kernel none"),
        ({"userspace": "595.58.03"}, "595.58.03"),
        ({"installed": None}, "the module on the disk none"),
    ],
)
def test_loaded_installed_and_libraries_have_to_be_one(
    change: dict[str, str | None], told: str | None
) -> None:
    host = box(replace(LOADED, nvidia=replace(LOADED.nvidia, **change)))
    host.run(proofs.prove_versions)
    assert (host.refusal is None) is (told is None)
    assert told is None or told in str(host.refusal)


def test_nvidia_smi_s_answer_is_read_as_it_prints_it() -> None:
    answer = NvidiaSmi().process(["00000000:0A:00.0, 580.173.02", "00010000:82:00.0, 1", "exit=0"])
    assert answer.cards == (("0000:0a:00.0", "580.173.02"), ("10000:82:00.0", "1"))
    assert answer.exit_code == 0
    failed = NvidiaSmi().process(["Failed to initialize NVML: Driver/library mismatch", "exit=18"])
    assert (failed.cards, failed.exit_code) == ((), 18)
    assert failed.said.startswith("Failed to initialize NVML")


@pytest.mark.parametrize(
    ("bus_id", "sysfs"),
    [("00000000:01:00.0", "0000:01:00.0"), ("00010000:C1:00.0", "10000:c1:00.0")],
)
def test_eight_digit_domains_become_the_kernel_s(bus_id: str, sysfs: str) -> None:
    assert sysfs_address(bus_id) == sysfs


def test_nouveau_s_state_is_read_from_files_with_their_times(tmp_path: Path) -> None:
    """The fact's real command, its directories and the initramfs moved into a tree of the test."""
    modprobe, boot = tmp_path / "modprobe.d", tmp_path / "boot"
    modprobe.mkdir()
    boot.mkdir()
    text = Nouveau().command(kernel="6.1").get_raw_value()
    text = text.replace("/etc/modprobe.d", str(modprobe)).replace("/boot", str(boot))
    text = re.sub(r"(/run|/usr/local/lib|/usr/lib)/modprobe\.d", str(tmp_path / "none"), text)

    def read() -> NouveauState:
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
        found = Nouveau().process(done.stdout.splitlines())
        return replace(found, loaded=False)  # this machine's own matter

    assert read() == NouveauState()
    (modprobe / "a.conf").write_text("# blacklist nouveau\noptions nouveau modeset=0\n")
    assert not read().off
    (modprobe / "b.conf").write_text("blacklist  nouveau\n")
    assert read() == NouveauState(off=True)
    (boot / "initrd.img-6.1").write_text("")
    os.utime(boot / "initrd.img-6.1", (1, 1))
    assert read() == NouveauState(off=True, stale_initramfs=True)
    os.utime(modprobe / "b.conf", (0, 0))
    assert read() == NouveauState(off=True)

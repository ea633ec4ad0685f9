"""Proofs of the driver: one version everywhere, every card listed, faults in plain words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from boxwright.machine import Machine
from roles.driver import proofs
from roles.driver.proofs import NvidiaSmi, ToolAnswer, sysfs_address
from roles.driver.state import KernelReport
from tests.unit.driver_hosts import CARD, NVIDIA_620, driven, ryzen
from tests.unit.role_host import box


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


@pytest.mark.parametrize("words", ["[N/A]", "Unknown Error: a:b:c", "", "zz:01:00.0"])
def test_what_is_no_address_is_no_card(words: str) -> None:
    assert sysfs_address(words) is None
    answer = NvidiaSmi().process([f"{words}, [N/A]", "exit=0"])
    assert (answer.cards, answer.exit_code) == ((), 0)
    assert "[N/A]" in answer.said


def test_a_card_whose_driver_the_tool_does_not_know_is_a_fault() -> None:
    host = box(LOADED)
    host.facts |= {NvidiaSmi: ToolAnswer(((CARD, "[N/A]"),), 0), KernelReport: ()}
    host.run(proofs.prove_cards)
    assert host.refusal is not None
    assert f"{CARD} [N/A]" in host.refusal and "620.36.01" in host.refusal


def test_a_missing_card_is_told_with_the_kernel_s_reason_as_a_sentence() -> None:
    host = box(LOADED)
    log = (
        "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:2b85)",
        "NVRM: installed in this system requires use of the NVIDIA open kernel modules.",
    )
    answer = ToolAnswer((), 6, "No devices were found")
    host.facts |= {NvidiaSmi: answer, KernelReport: log}
    host.run(proofs.prove_cards)
    assert host.refusal is not None
    assert "exit 6: No devices were found" in host.refusal
    assert "card 0000:01:00.0 needs the open kernel modules" in host.refusal


def test_a_container_has_no_module_on_its_disk() -> None:
    found = replace(LOADED, container="lxc", nvidia=replace(LOADED.nvidia, installed=None))
    host = box(found)
    host.run(proofs.prove_versions)
    assert host.refusal is None


@pytest.mark.parametrize(("held", "proved_so"), [(True, True), (False, False)])
def test_a_driver_that_an_upgrade_could_move_is_told(held: bool, proved_so: bool) -> None:
    """The package manager may say that all went well and hold nothing."""
    host = box(LOADED)
    host.install("nvidia-driver-cuda", version="620.36.01-1", held=True)
    host.install("nvidia-kernel-open-dkms", version="620.36.01-1", held=held)
    assert (host.run(proofs.prove_held) == []) is proved_so
    if not proved_so:
        assert host.refusal is not None and "apt-mark showhold" in host.refusal
        assert "nvidia-kernel-open-dkms" in host.refusal and "cuda" not in host.refusal


def test_a_driver_that_moves_with_the_kernels_need_not_be_held() -> None:
    host = box(LOADED)
    host.install("nvidia-driver-cuda", "linux-modules-nvidia-620-open-6.12.48", version="620.36.01")
    assert host.run(proofs.prove_held) == []

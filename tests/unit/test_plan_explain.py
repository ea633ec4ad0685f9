"""What is told of a card by its id alone: NVIDIA's tables, dead cards, ids that do not exist."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boxwright import catalog
from boxwright.catalog.search import devices_named
from boxwright.machine import Gpu
from boxwright.plan.explain import explain
from boxwright.plan.explained import CardDriver, CudaRange, Explanation, Install
from tests.unit.plans import UBUNTU, plan_on


def told(device: str, **more: object) -> Explanation:
    return explain(catalog.load(), Gpu("", f"10de:{device}", **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "generation", "capability", "branch", "flavour", "first", "last"),
    [
        ("17f0", "Maxwell", "5.2", "580", "proprietary", "6.5", "12.9"),
        ("15f8", "Pascal", "6.0", "580", "proprietary", "8.0", "12.9"),
        ("1bb0", "Pascal", "6.1", "580", "proprietary", "8.0", "12.9"),
        ("1db4", "Volta", "7.0", "580", "proprietary", "9.0", "12.9"),
        ("1eb8", "Turing", "7.5", "620", "either", "10.0", None),
        ("20f1", "Ampere", "8.0", "620", "either", "11.0", None),
        ("2204", "Ampere", "8.6", "620", "either", "11.1", None),
        ("2684", "Ada", "8.9", "620", "either", "11.8", None),
        ("2331", "Hopper", "9.0", "620", "either", "11.8", None),
        ("2901", "Blackwell", "10.0", "620", "open", "12.8", None),
        ("2b85", "Blackwell", "12.0", "620", "open", "12.8", None),
        ("3182", "Blackwell", "10.3", "620", "open", "12.9", None),
        ("3000", "Rubin", "10.7", "620", "open", "13.4", None),
    ],
)  # fmt: skip
def test_a_card_is_told_as_in_nvidias_tables(
    device: str, generation: str, capability: str, branch: str, flavour: str, first: str,
    last: str | None,
) -> None:  # fmt: skip
    """reference/nvidia.md, section 1."""
    entry = told(device)
    assert (entry.generation, entry.compute_capability) == (generation, capability)
    assert (entry.driver.branch, entry.driver.flavour) == (branch, flavour)
    assert entry.cuda == CudaRange(first, last)
    assert entry.refusal is None


@pytest.mark.parametrize(
    ("device", "last_branch", "cuda"),
    [
        ("102d", "470", CudaRange("6.5", "11.8")),
        ("103a", "470", CudaRange("5.0", "11.8")),
        ("11ba", "470", CudaRange("5.0", "10.2")),
        ("06d8", "390", CudaRange("3.0", "8.0")),
        ("0191", "340", CudaRange()),
        ("0020", "340", CudaRange()),
    ],
)
def test_a_dead_card_is_refused_with_its_last_branch(
    device: str, last_branch: str, cuda: CudaRange
) -> None:
    entry = told(device)
    assert entry.driver == CardDriver(last_branch=last_branch)
    assert (entry.install, entry.build, entry.cuda) == (Install(), None, cuda)
    assert entry.refusal is not None and last_branch in entry.refusal.reason
    assert "ignore_gpus" in entry.refusal.cure


@pytest.mark.parametrize("device", ["1bb0", "17f0", "1db4", "1e30", "2204", "2b85", "2331"])
def test_install_and_build_are_what_the_planner_decides(device: str) -> None:
    planned = plan_on(UBUNTU, f"10de:{device}")
    entry = told(device)
    assert planned.driver and planned.runtime and entry.build
    made = planned.driver
    assert entry.install == Install(made.branch, made.flavour, made.source)
    assert (entry.build.build, entry.build.cuda) == (planned.runtime.build, planned.runtime.cuda)
    assert entry.build.architectures == planned.runtime.architectures


def test_what_ubuntu_does_not_have_is_a_warning_and_no_refusal() -> None:
    """Rubin needs R615 (reference/nvidia.md 1); Ubuntu 24.04's archive ends before it."""
    entry = told("3000")
    assert (entry.install, entry.build, entry.refusal) == (Install(), None, None)
    assert any("fresh ubuntu 24.04" in one and "615" in one for one in entry.warnings)


@pytest.mark.parametrize(
    ("device", "chip", "words"),
    [
        ("2b99", "GB202", "not known yet"),
        ("1b99", "GP104", "not known yet"),
        ("2a10", "GB10B", "next known chip"),
        ("3fff", "GB120", "last known chip"),
        ("ffff", "GB120", "last known chip"),
        ("0001", "NV4-NV28", "not known yet"),
    ],
)
def test_an_id_that_does_not_exist_is_answered_with_a_warning(
    device: str, chip: str, words: str
) -> None:
    entry = told(device)
    assert entry.chip == chip
    assert any(words in one for one in entry.warnings)


@pytest.mark.parametrize("device", ["10ef", "22ba", "1ad6", "1af1", "0264"])
def test_what_is_no_graphics_card_is_said_to_be_none(device: str) -> None:
    entry = told(device)
    assert (entry.chip, entry.generation, entry.vram_mib, entry.build) == (None, None, None, None)
    assert entry.install == Install()
    assert "no graphics card" in entry.warnings[0]
    assert (entry.refusal is not None) == (int(device, 16) < 0x1340)


@pytest.mark.parametrize(
    ("pci_id", "vendor"), [("1002:744c", "AMD"), ("8086:56a0", "Intel"), ("1a03:2000", "NVIDIA")]
)
def test_another_vendors_card_is_left_alone(pci_id: str, vendor: str) -> None:
    entry = explain(catalog.load(), Gpu("", pci_id))
    assert entry == Explanation(pci_id, warnings=entry.warnings)
    assert vendor in entry.warnings[0] and entry.warnings[0].endswith("it is left alone.")


def test_what_a_driver_told_goes_before_the_catalog() -> None:
    modified = told("1e07", vram_mib=22528, compute_cap="7.5")
    assert (modified.vram_mib, told("1e07").vram_mib) == (22528, None)
    assert told("3340", compute_cap="12.0").compute_capability == "12.0"
    assert told("1bb0", compute_cap="[N/A]").compute_capability == "6.1"


@settings(deadline=None)
@given(st.integers(0, 0xFFFF))
def test_every_id_has_a_sane_entry(device: int) -> None:
    """Branch and flavour by the one-line rule of reference/nvidia.md, section 1."""
    entry = told(f"{device:04x}")
    listed = catalog.load().listed.get(device)
    if device < 0x1340:
        assert entry.refusal and entry.driver.branch is None and entry.install == Install()
        return
    assert entry.refusal is None
    open_only, pre_turing = device >= 0x2900, device < 0x1E00
    flavour = "proprietary" if pre_turing else "open" if open_only else "either"
    assert entry.driver.flavour == flavour
    assert entry.driver.branch == ("580" if pre_turing else "620")
    if entry.install.branch:
        assert entry.install.flavour in ({flavour} if flavour != "either" else {"open"})
        assert not pre_turing or int(entry.install.branch) <= 580
    assert entry.warnings or (listed and listed.display)


@pytest.mark.parametrize(
    ("asked", "devices"),
    [
        ("Quadro P5000", ["1bb0"]),
        ("quadro p5000", ["1bb0"]),
        ("P5000", ["1bb0"]),
        ("NVIDIA GeForce RTX 3090", ["2204"]),
        ("3090", ["2204"]),
        ("3090ti", ["2203"]),
        ("tesla p40", ["1b38"]),
        ("A16", ["25b6"]),
        ("RTX 8000", ["1e30"]),
        ("Quadro P5000 Mobile", ["1bb6"]),
        ("CMP 170HX", ["2082", "20c2"]),
        ("P100", ["15f7", "15f8", "15f9"]),
        ("no such card", []),
        ("nvidia", []),
        ("", []),
        ("???", []),
    ],
)
def test_a_card_is_found_by_its_name(asked: str, devices: list[str]) -> None:
    assert [f"{one:04x}" for one in devices_named(catalog.load(), asked)] == devices


def test_every_card_is_found_by_its_own_name() -> None:
    known = catalog.load()
    for device, card in known.cards.items():
        assert device in devices_named(known, card.name), card.name


@settings(deadline=None)
@given(st.text(max_size=30))
@example("0002")  # of "RTX 2000 / 2000E", whose slash is no letter
def test_any_text_has_an_answer(text: str) -> None:
    for device in devices_named(catalog.load(), text):
        name = re.sub("[^a-z0-9]", "", catalog.load().gpu(f"10de:{device:04x}").name.lower())
        words = [word for word in re.findall(r"[a-z0-9]+", text.lower()) if word != "nvidia"]
        assert all(word in name for word in words)

"""Every NVIDIA device id: chips against pci.ids, branch and flavour against NVIDIA's own table."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxwright import catalog
from boxwright.catalog.check import check, each_once
from boxwright.catalog.errors import CatalogError

SUPPORTED = Path(__file__).resolve().parents[1] / "fixtures" / "nvidia" / "supported.txt"
CHIP = re.compile(r"(GB20B|GB10B|(?:G[FKMPVAHBR]|TU|AD)\d{3})")
BY_LETTERS = {
    "GF": "Fermi", "GK": "Kepler", "GM": "Maxwell", "GP": "Pascal", "GV": "Volta", "TU": "Turing",
    "GA": "Ampere", "GH": "Hopper", "AD": "Ada", "GB": "Blackwell", "GR": "Rubin",
}  # fmt: skip
REFUSED = {"pre-Tesla", "Tesla", "Fermi", "Kepler"}
PROPRIETARY = {"Maxwell", "Pascal", "Volta"}
EITHER = {"Turing", "Ampere", "Ada", "Hopper"}
# nvidia.md 1: GH200 needs the open modules, though other Hopper cards take either
GRACE_HOPPER = {0x2342, 0x2348}
# NVIDIA's table calls vGPU boards' branch 367 and splits what is older than Fermi further
LAST_BRANCH = {"470": 470, "367": 470, "390": 390, "340": 340, "304": 340, "173": 340, "96": 340,
               "71": 340}  # fmt: skip


@cache
def nvidias_table() -> tuple[tuple[int, str, bool], ...]:
    lines = SUPPORTED.read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    return tuple((int(device, 16), branch, word == "open") for device, branch, word in rows)


def kind(device: int) -> catalog.GpuKind:
    return catalog.load().gpu(f"10de:{device:04x}")


def listed(display: bool = True) -> dict[int, str]:
    rows = catalog.load().listed.items()
    return {device: one.name for device, one in rows if one.display is display}


def test_the_table_of_nvidia_is_whole() -> None:
    assert len(nvidias_table()) == 1172
    assert min(d for d, branch, _ in nvidias_table() if branch == "580") == 0x1340
    assert min(d for d, branch, _ in nvidias_table() if branch == "current") == 0x1E02


def test_every_id_of_nvidias_table_gets_the_branch_that_it_names() -> None:
    wrong = {}
    for device, branch, _ in nvidias_table():
        rule, newest = kind(device).rule, catalog.load().newest_long_term(kind(device).rule)
        found = str(newest.branch) if newest else rule.last_branch
        expected = {"580": "580", "current": "620"}.get(branch) or LAST_BRANCH[branch]
        if found != expected or bool(rule.refusal) != (newest is None):
            wrong[f"{device:04x}"] = (branch, found)
    assert wrong == {}


def test_every_id_of_nvidias_table_gets_the_flavour_that_it_names() -> None:
    for device, branch, open_modules in nvidias_table():
        flavours = set(kind(device).rule.flavours)
        assert ("open" in flavours) is open_modules, f"{device:04x}"
        # kernel_open.html of 595: proprietary modules for Turing, Ampere, Ada, Hopper, not later
        assert ("proprietary" in flavours) is (
            branch in ("580", "current") and device < 0x2900 and device not in GRACE_HOPPER
        )


def test_grace_hopper_alone_of_its_generation_needs_the_open_modules() -> None:
    open_only = {d for d in range(0x2300, 0x2400) if kind(d).rule.flavours == ("open",)}
    assert open_only == GRACE_HOPPER == {d for d, name in listed().items() if "GH200" in name}


def test_every_display_id_of_pci_ids_has_the_chip_of_its_name() -> None:
    wrong = {}
    checked = 0
    for device, name in listed().items():
        found = CHIP.match(name)
        if found:
            checked += 1
            known = kind(device)
            said = (known.chip.chip, known.generation, known.known_chip)
            if said != (found[1], BY_LETTERS[found[1][:2]], True):
                wrong[f"{device:04x} {name}"] = said
    assert wrong == {}
    assert checked > 900


def test_sound_and_usb_functions_are_no_graphics_cards() -> None:
    others = listed(display=False)
    for device in (0x10EF, 0x1AD6, 0x1AD7, 0x228B, 0x22E8, 0x1AF1, 0x22A3, 0x0264):
        assert device in others and not kind(device).display
    assert not {device for device, branch, _ in nvidias_table() if device in others}
    assert not [n for n in listed().values() if re.search(r"Audio|USB|UCSI|NVSwitch|SMBus", n)]


def test_every_number_has_one_consistent_answer() -> None:
    """All 65536: the generation that the ranges give fits the driver that the rules give."""
    last = 0
    for device in range(0x10000):
        known = kind(device)
        flavours, generation = known.rule.flavours, known.generation
        assert (known.rule.refusal is not None) == (device < 0x1340) == (generation in REFUSED)
        assert (flavours == ("proprietary",)) == (generation in PROPRIETARY)
        either = generation in EITHER and device not in GRACE_HOPPER
        assert (set(flavours) == {"open", "proprietary"}) == either
        stage = [(), ("proprietary",), ("open", "proprietary"), ("open",)].index(flavours)
        if device not in GRACE_HOPPER:
            assert stage >= last, f"{device:04x} steps back to {flavours}"
            last = stage


@given(st.integers(0, 0xFFFF), st.booleans())
def test_an_id_is_the_same_in_any_spelling(device: int, upper: bool) -> None:
    text = f"10de:{device:04x}"
    assert catalog.load().gpu(text.upper() if upper else text) == kind(device)


@given(st.integers(0, 0xFFFF))
def test_the_branches_for_a_card_are_within_its_rule_and_have_its_flavour(device: int) -> None:
    rule = kind(device).rule
    for branch in catalog.load().branches_for(rule):
        assert rule.first_branch <= branch.branch <= (rule.last_branch or 9999)
        assert set(rule.flavours) & set(branch.flavours)


@pytest.mark.parametrize("wrong", ["10de:10000", "10de:", "10de:xyzw", "10de:-001", "8086:56a0"])
def test_what_is_no_id_is_said_to_be_none(wrong: str) -> None:
    with pytest.raises(ValueError):
        catalog.load().gpu(wrong)


def test_the_generations_of_a_branch() -> None:
    """reference/nvidia.md 1: 580 is the last for Volta, Blackwell needs 570, Rubin R615."""
    old = {"Maxwell", "Pascal", "Volta"}
    middle = {"Turing", "Ampere", "Ada", "Hopper"}
    asked = catalog.load().generations_of
    assert set(asked(550)) == old | middle
    assert set(asked(580)) == old | middle | {"Blackwell"}
    assert set(asked(595)) == middle | {"Blackwell"}
    assert set(asked(620)) == middle | {"Blackwell", "Rubin"}


def test_from_r615_on_there_are_open_modules_only() -> None:
    for number, branch in catalog.load().branches.items():
        assert set(branch.flavours) == ({"open"} if number >= 615 else {"open", "proprietary"})


@pytest.mark.parametrize(
    ("capability", "first", "last"),
    [
        ("2.1", "3.0", "8.0"), ("3.0", "5.0", "10.2"), ("3.5", "5.0", "11.8"),
        ("3.7", "6.5", "11.8"), ("5.2", "6.5", "12.9"), ("6.0", "8.0", "12.9"),
        ("6.1", "8.0", "12.9"), ("7.0", "9.0", "12.9"), ("7.5", "10.0", None),
        ("8.6", "11.1", None), ("8.9", "11.8", None), ("9.0", "11.8", None),
        ("12.0", "12.8", None), ("10.7", "13.4", None),
    ],
)  # fmt: skip
def test_which_toolkits_compile(capability: str, first: str, last: str | None) -> None:
    row = catalog.load().capabilities[capability]
    assert (row.first_toolkit, row.last_toolkit) == (first, last)


def test_the_cards_are_those_a_buyer_meets_and_carry_what_he_has_to_know() -> None:
    cards = catalog.load().cards.values()
    assert len(cards) >= 130
    assert all(card.bus or any("link" in note for note in card.notes) for card in cards)
    assert all(card.vram_mib or card.notes for card in cards), "an unknown size needs its reason"
    said = {card.name: " ".join(card.notes) for card in cards}
    assert "no fans" in said["Tesla P40"] and "1/64" in said["Tesla P40"]
    assert "no dp4a" in said["Tesla P100 PCIe 16GB"] and "FP16" in said["Tesla P100 PCIe 16GB"]
    assert "carrier board" in said["Tesla V100 SXM2 32GB"]
    assert "22 GB" in said["GeForce RTX 2080 Ti"] and "48 GB" in said["GeForce RTX 4090"]
    assert "two GPUs" in said["Tesla M60"] and "four GPUs" in said["Tesla M10"]
    assert "470" in said["Tesla K80"] and "multiply-add" in said["CMP 170HX"]
    assert {c.bus for c in cards if c.name.startswith("CMP")} == {"PCIe 1.1 x4", "PCIe 1.1 x1"}


def test_what_cannot_be_meant_is_refused_at_load() -> None:
    known = catalog.load()
    p5000, last = known.cards[0x1BB0], known.rules[-1]
    wrong = [
        (replace(known, cards={0x1BB0: replace(p5000, name="Quadro P6000")}), "Quadro P6000"),
        (replace(known, cards={0x10EF: replace(p5000, id=0x10EF)}), "10ef"),
        (replace(known, ranges=(*known.ranges, known.ranges[-1])), "overlap"),
        (replace(known, capabilities={}), "capability"),
        (replace(known, rules=known.rules[1:]), "gap"),
        (replace(known, rules=known.rules[:-1]), "end at"),
        (replace(known, rules=(*known.rules[:-1], replace(last, flavours=()))), "refusal"),
        (replace(known, branches={}), "names branches"),
    ]
    for damaged, word in wrong:
        with pytest.raises(CatalogError, match=word):
            check(damaged)
    with pytest.raises(CatalogError, match="1bb0 is there twice"):
        each_once([p5000, p5000], lambda card: card.id, "cards.yaml")

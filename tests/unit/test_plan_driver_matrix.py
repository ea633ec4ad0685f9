"""Every distribution with every kind of card, driver state and Secure Boot: right and readable."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from boxwright.machine import Machine
from boxwright.plan import Refusal
from boxwright.plan.results import DriverPlan
from tests.unit.driver_matrix import (
    CARDS,
    KEPT,
    KINDS,
    REPLACED,
    RIGHT,
    SECURE,
    SYSTEMS,
    accepts,
    box,
    decided,
    forbidden,
    states,
)
from tests.unit.plans import BLACKWELL, KEPLER, PASCAL


def check_plan(on: Machine, made: DriverPlan) -> None:
    """What holds for every plan, whatever the machine."""
    for card in on.gpus:
        assert accepts(int(card.id[5:], 16), int(made.branch), made.flavour)
    streams = [made.module_stream] if made.module_stream else []
    for name in (*made.packages, *streams):
        assert not forbidden(name), name
    assert made.pin_packages or made.source == "installed"
    by_name = bool(made.pin_packages) and all(made.branch in one for one in made.pin_packages)
    if made.build == "signed":
        assert not made.hold, "a new kernel's signed module needs newer parts of the driver"
    elif made.pin_packages and not (made.manager == "dnf" and by_name):
        assert made.hold
    if made.source == "installed":
        assert made.hold_else and made.headers is None
        assert not [name for name in made.packages if on.os.kernel in name]
    assert made.pin_version == (f"{made.branch}.*" if made.pin_packages else None)
    assert ".md" not in made.why  # reference pages are ours: people are told in words
    text = repr(made)
    assert "uname" not in text and "$(" not in text and "{" not in text.strip("{}")
    kernels = ("linux-headers", "linux-modules", "kernel")
    for name in (name for name in made.packages if not name.startswith(kernels)):
        assert any(fnmatchcase(name, glob) for glob in made.pin_packages), name
        nevra = f"{name}-3:{made.branch}.99.01-1.x86_64"
        if made.hold:
            assert name in made.hold or any(fnmatchcase(nevra, spec) for spec in made.hold), name
    if made.build in ("dkms", "akmods") and made.source != "installed":
        assert made.headers is not None and on.os.kernel in made.headers
    if made.build == "signed" and made.packages:
        assert made.headers is None and on.os.id == "ubuntu"
        modules = [name for name in made.packages if name.startswith("linux-modules-nvidia-")]
        assert [name for name in modules if name.endswith(f"-{on.os.kernel}")]
        assert len(modules) == 2 and not set(modules) & set(made.hold)
    assert made.manager == ("apt" if on.os.id in ("ubuntu", "debian") else "dnf")


def check_refusal(on: Machine, made: Refusal) -> None:
    """A sentence with what was found, and a cure, both without remains of a template."""
    sentence = made.sentence()
    assert on.gpus[0].pci in made.reason or f"{on.os.id} {on.os.version_id}" in made.reason
    assert len(made.cure.split()) >= 5
    assert not [mark for mark in ("{", "None", "()", "  ") if mark in sentence], sentence


def fits(made: DriverPlan, right: tuple[str, str, str]) -> bool:
    return (made.branch, made.flavour, made.source) == right


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("cards", CARDS)
def test_every_state_of_a_driver_ends_in_the_right_one(system: str, cards: str) -> None:
    right = RIGHT[system][KINDS[cards]]
    branch, flavour, _ = right or ("620", "open", "")
    for state, nvidia in states(branch, flavour).items():
        for secure_boot in SECURE:
            on = box(system, CARDS[cards], nvidia=nvidia, secure_boot=secure_boot)
            made = decided(on)
            case = (state, secure_boot, made)
            rejected = secure_boot and system.split()[0] != "ubuntu"
            loaded = nvidia.get("loaded") is not None and nvidia["loaded"] == nvidia.get(
                "installed"
            )
            suits = state in KEPT or (state == "wrong flavour" and KINDS[cards] == "any")
            kept = suits and (loaded or not secure_boot)
            if isinstance(made, Refusal):
                check_refusal(on, made)
                assert not kept and (right is None or rejected), case
                assert ("Secure Boot" in made.reason) == (right is not None), case
                continue
            check_plan(on, made)
            assert made.reboot == (not kept or not loaded), case
            if kept:
                assert (made.branch, made.source) == (branch, "installed"), case
                assert made.flavour == nvidia["flavour"]
                assert made.remove == (), case
                continue
            assert right is not None and fits(made, right) and not rejected, case
            assert (made.build == "signed") == bool(secure_boot), case
            assert (len(made.remove) > 5) == (state in REPLACED), case
            if state not in REPLACED:
                # a module that was built here would be loaded in place of the signed one
                built_here = made.build == "signed" and state != "fresh"
                assert made.remove == (("nvidia-dkms-*",) if built_here else ()), case


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_no_driver_serves_together_is_refused_and_ignoring_one_side_helps(system: str) -> None:
    on = box(system, (PASCAL, BLACKWELL, PASCAL, "10de:1e30"))
    made = decided(on)
    assert isinstance(made, Refusal)
    assert all(f"0000:0{slot}:00.0" in made.reason for slot in (1, 2, 3))
    assert "0000:04:00.0" not in made.reason  # either flavour drives a Turing
    assert '"0000:02:00.0"' in made.cure
    ways = ("ignore_gpus", "RPC", "virtual machine", "nouveau and Vulkan")
    assert all(way in made.cure for way in ways)
    for ignored, kind in ((("0000:02:00.0",), "old"), (("0000:01:00.0", "0000:03:00.0"), "new")):
        right = RIGHT[system][kind]
        allowed = decided(on, ignore_gpus=ignored)
        assert right and isinstance(allowed, DriverPlan) and fits(allowed, right)


def test_the_cure_ignores_every_card_of_the_smaller_side() -> None:
    made = decided(box("debian 12", (PASCAL, BLACKWELL, BLACKWELL, PASCAL, BLACKWELL)))
    assert isinstance(made, Refusal)
    assert 'ignore_gpus = ("0000:01:00.0", "0000:04:00.0",)' in made.cure


@pytest.mark.parametrize("system", SYSTEMS)
def test_kepler_is_refused_with_or_without_a_driver(system: str) -> None:
    for nvidia in states("470", "proprietary").values():
        on = box(system, (KEPLER, PASCAL), nvidia=nvidia)
        made = decided(on)
        assert isinstance(made, Refusal) and "0000:01:00.0" in made.reason
        assert "470" in made.reason and "ignore_gpus" in made.cure
        assert isinstance(decided(on, ignore_gpus=("0000:01:00.0",)), DriverPlan)


@pytest.mark.parametrize(
    ("device", "branch"),
    [
        ("3182", "580"), ("323e", "580"), ("3340", "580"),  # known: Blackwell Ultra and GB120
        ("3100", "595"), ("3300", "595"), ("3380", "595"), ("ffff", "595"),
    ],
)  # fmt: skip
def test_a_card_that_does_not_exist_yet_gets_the_newest_branch(device: str, branch: str) -> None:
    """nvidia.md 6: an unknown id is taken for open-only, on the newest branch."""
    made = decided(box("ubuntu 24.04", (f"10de:{device}",)))
    assert isinstance(made, DriverPlan) and (made.branch, made.flavour) == (branch, "open")
    beside = decided(box("ubuntu 24.04", (f"10de:{device}", BLACKWELL)))
    assert isinstance(beside, DriverPlan) and beside.branch == branch


def test_a_container_whose_host_has_the_right_driver_needs_none_of_its_own() -> None:
    there = {"loaded": "580.99.01", "userspace": "580.99.01", "flavour": "proprietary"}
    made = decided(box("debian 12", (PASCAL,), nvidia=there, container="lxc"))
    assert isinstance(made, DriverPlan)
    assert (made.source, made.build, made.reboot, made.packages) == ("installed", "host", False, ())
    # on a machine of its own the module is gone from the disk, and has to come back
    alone = decided(box("debian 12", (PASCAL,), nvidia=there))
    assert isinstance(alone, DriverPlan) and alone.source == "nvidia-repository" and alone.reboot

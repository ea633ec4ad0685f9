"""A driver that is there already: kept, rebooted into, replaced or made whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.driver_matrix import driver_on
from tests.unit.plans import (
    AMPERE,
    BLACKWELL,
    DEBIAN_13,
    PASCAL,
    UBUNTU,
    gpu,
    installed,
    machine,
    planned,
)


@pytest.mark.parametrize(
    ("os", "card", "version", "flavour"),
    [
        (UBUNTU, PASCAL, "580.126.09", "proprietary"),
        (UBUNTU, AMPERE, "595.58.03", "open"),
        (DEBIAN_13, BLACKWELL, "620.22.03", "open"),
        (DEBIAN_13, AMPERE, "580.126.09", "proprietary"),
    ],
)
def test_a_suitable_driver_is_kept_and_rebooted_into_only_if_it_is_not_loaded(
    os: dict[str, Any], card: str, version: str, flavour: str
) -> None:
    cards = [gpu("0000:01:00.0", card, driver="nvidia")]
    for loaded, reboot in ((version, False), (None, True), ("570.1", True)):
        found = planned(
            machine("xeon", os=os, gpus=cards, nvidia=installed(version, flavour, loaded)),
            gpu_vram_mib={"0000:01:00.0": 16384},
        ).driver
        assert found is not None
        assert (found.source, found.branch) == ("installed", version.split(".")[0])
        assert (found.flavour, found.reboot, found.remove) == (flavour, reboot, ())


@pytest.mark.parametrize(
    ("loaded", "told", "userspace", "kept"),
    [
        ("580.126.09", {"vram_mib": 16384, "compute_cap": "6.1"}, None, True),
        ("580.126.09", {}, None, True),
        # the driver that answered is the one before, which a reboot ends
        ("580.95.05", {"vram_mib": 16384}, None, True),
        (None, {}, None, False),
        ("580.126.09", {"vram_mib": 16384}, "580.95.05", False),
    ],
)
def test_libraries_of_which_nothing_is_known_are_no_reason_to_replace_a_driver(
    loaded: str | None, told: dict[str, Any], userspace: str | None, kept: bool
) -> None:
    """Design, section 3: None is "not known"; a report need not have `userspace`."""
    nvidia = {"loaded": loaded, "installed": "580.126.09", "flavour": "proprietary"}
    if userspace:
        nvidia["userspace"] = userspace
    card = gpu("0000:01:00.0", PASCAL, driver="nvidia", **told)
    found = planned(
        machine("xeon", os=UBUNTU, gpus=[card], nvidia=nvidia),
        gpu_vram_mib={"0000:01:00.0": 16384},
    ).driver
    assert found is not None
    assert (found.source == "installed") is kept
    assert found.reboot == (not kept or loaded != "580.126.09")
    assert "nvidia-headless-580-server" in found.packages


def test_a_kept_driver_still_names_what_is_to_be_held() -> None:
    found = driver_on(UBUNTU, PASCAL, nvidia=installed("580.126.09", "proprietary"))
    assert "nvidia-headless-580-server" in found.packages
    assert "nvidia-dkms-580-server" in found.hold


@pytest.mark.parametrize(
    ("card", "present"),
    [
        (PASCAL, installed("595.58.03", "open", "595.58.03")),
        (PASCAL, installed("580.126.09", "open")),
        (BLACKWELL, installed("580.126.09", "proprietary", "580.126.09")),
        (BLACKWELL, installed("550.163.01", "open")),
    ],
)
def test_a_wrong_branch_or_flavour_is_replaced(card: str, present: dict[str, Any]) -> None:
    found = driver_on(UBUNTU, card, nvidia=present)
    assert found.source == "ubuntu-archive" and found.reboot
    assert "nvidia-dkms-*" in found.remove
    # a container toolkit is not part of a driver
    assert "nvidia-*" not in found.remove and "libnvidia-*" not in found.remove


def test_parts_of_different_versions_are_installed_again_without_removing_anything() -> None:
    half = {"installed": "580.126.09", "userspace": None, "flavour": "proprietary"}
    found = driver_on(UBUNTU, PASCAL, nvidia=half)
    assert (found.source, found.remove) == ("ubuntu-archive", ())

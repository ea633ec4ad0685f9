"""What each distribution calls a driver: branches of archives, headers, keys, streams, locks."""

from __future__ import annotations

from typing import Any

import pytest

from boxwright.plan import Refusal
from boxwright.plan.results import DriverPlan
from tests.unit.driver_matrix import BASE, CARDS, SYSTEMS, box, decided
from tests.unit.plans import AMPERE, BLACKWELL, PASCAL


@pytest.mark.parametrize(
    ("system", "branch", "there"),
    [
        ("ubuntu 22.04", "580", True), ("ubuntu 22.04", "595", False),
        ("ubuntu 22.04", "610", False), ("ubuntu 24.04", "595", True),
        ("ubuntu 24.04", "610", False), ("ubuntu 26.04", "595", True),
        ("ubuntu 26.04", "610", True), ("ubuntu 26.04", "620", False),
    ],
)  # fmt: skip
def test_each_ubuntu_has_the_branches_of_its_own_archive(
    system: str, branch: str, there: bool
) -> None:
    """nvidia.md 3.7: 580 everywhere, 595 on 24.04 and 26.04, 610 on 26.04."""
    made = decided(box(system, (AMPERE,)), driver_branch=branch)
    assert isinstance(made, DriverPlan) is there
    if isinstance(made, Refusal):
        assert branch in made.reason


@pytest.mark.parametrize(
    ("system", "ids", "path"),
    [
        ("debian 12", (PASCAL,), "/var/lib/dkms/mok.pub"),
        ("debian 13", (PASCAL,), "/var/lib/dkms/mok.pub"),
        ("rocky 9.6", (BLACKWELL,), "/var/lib/dkms/mok.pub"),
        ("rocky 10.2", (PASCAL,), "/var/lib/dkms/mok.pub"),
        ("fedora 44", (BLACKWELL,), "/var/lib/dkms/mok.pub"),
        ("fedora 44", (PASCAL,), "/etc/pki/akmods/certs/public_key.der"),
    ],
)
def test_secure_boot_names_the_key_that_this_host_signs_with(
    system: str, ids: tuple[str, ...], path: str
) -> None:
    on = box(system, ids, secure_boot=True)
    made = decided(on)
    assert isinstance(made, Refusal)
    assert f"mokutil --import {path}" in made.cure and "driver_key_enrolled" in made.cure
    enrolled = decided(on, driver_key_enrolled=True)
    assert isinstance(enrolled, DriverPlan) and enrolled.build in ("dkms", "akmods")


def test_a_kernel_of_no_distribution_has_no_signed_module() -> None:
    os = {**BASE["os"], **SYSTEMS["ubuntu 24.04"], "kernel": "6.9.1-mine"}
    made = decided(box("ubuntu 24.04", (PASCAL,), os=os, secure_boot=True))
    assert isinstance(made, Refusal)
    assert "6.9.1-mine" in made.reason and "/var/lib/shim-signed/mok/MOK.der" in made.cure
    built = decided(box("ubuntu 24.04", (PASCAL,), os=os))
    assert isinstance(built, DriverPlan)
    assert built.headers == "linux-headers-6.9.1-mine"
    assert not [name for name in built.packages if name.startswith("linux-headers")]


@pytest.mark.parametrize(
    ("system", "kernel", "headers", "meta"),
    [
        ("ubuntu 24.04", "6.8.0-60-lowlatency", "linux-headers-6.8.0-60-lowlatency",
         "linux-headers-lowlatency"),
        ("ubuntu 24.04", "6.17.0-20-generic", "linux-headers-6.17.0-20-generic",
         "linux-headers-generic-hwe-24.04"),
        # a cloud's kernel is not called hwe, however new it is
        ("ubuntu 24.04", "6.14.0-1010-aws", "linux-headers-6.14.0-1010-aws", "linux-headers-aws"),
        ("debian 12", "6.1.0-40-cloud-amd64", "linux-headers-6.1.0-40-cloud-amd64",
         "linux-headers-cloud-amd64"),
        ("debian 12", "6.8.12-4-pve", "linux-headers-6.8.12-4-pve", None),
        ("rocky 9.6", "5.14.0-570.17.1.el9_6.x86_64", "kernel-devel-5.14.0-570.17.1.el9_6.x86_64",
         "kernel-devel-matched-5.14.0-570.17.1.el9_6.x86_64"),
        ("rocky 10.2", "6.12.0-124.el10.x86_64+rt", "kernel-rt-devel-6.12.0-124.el10.x86_64",
         "kernel-rt-devel-matched-6.12.0-124.el10.x86_64"),
        ("fedora 44", "7.2.6-200.fc44.x86_64", "kernel-devel-7.2.6-200.fc44.x86_64",
         "kernel-devel-matched-7.2.6-200.fc44.x86_64"),
    ],
)  # fmt: skip
def test_headers_are_those_of_the_report_s_kernel(
    system: str, kernel: str, headers: str, meta: str | None
) -> None:
    made = decided(box(system, (PASCAL,), os={**BASE["os"], **SYSTEMS[system], "kernel": kernel}))
    assert isinstance(made, DriverPlan)
    assert made.headers == headers
    found = [n for n in made.packages if n.startswith(("linux-headers", "kernel"))]
    assert found == ([meta] if meta else [])


@pytest.mark.parametrize("system", ["debian 12", "debian 13"])
def test_debian_s_own_driver_is_for_debian_s_own_kernel(system: str) -> None:
    """nvidia.md 3.7: 550 needs patches for newer kernels, and backports' driver lacks them."""
    os = {**BASE["os"], **SYSTEMS[system], "kernel": "7.3.1+deb13-amd64"}
    made = decided(box(system, (PASCAL,), os=os), driver_source="debian-archive")
    assert isinstance(made, Refusal)
    assert "7.3.1+deb13-amd64" in made.reason and "boot the kernel" in made.cure
    assert isinstance(decided(box(system, (BLACKWELL,), os=os)), DriverPlan)


def test_rocky_9_keeps_its_branch_by_a_module_stream_and_10_by_versionlock_alone() -> None:
    nine, ten = (decided(box(system, (PASCAL,))) for system in ("rocky 9.6", "rocky 10.2"))
    assert isinstance(nine, DriverPlan) and isinstance(ten, DriverPlan)
    assert (nine.module_stream, ten.module_stream) == ("nvidia-driver:580-dkms", None)
    assert nine.hold == ten.hold == ("*nvidia*580*",)
    assert (nine.repository, ten.repository) == ("rhel9", "rhel10")
    assert {"epel-release", "python3-dnf-plugin-versionlock"} <= set(nine.prerequisites)
    assert nine.enable == ("crb",)
    newer = decided(box("rocky 9.6", (BLACKWELL,)))
    assert isinstance(newer, DriverPlan) and newer.module_stream == "nvidia-driver:580-open"
    assert "kmod-nvidia-open-dkms" in newer.packages


def test_fedora_takes_the_old_cards_driver_from_rpm_fusion() -> None:
    made = decided(box("fedora 44", (PASCAL,)))
    assert isinstance(made, DriverPlan)
    assert (made.build, made.repository) == ("akmods", None)
    assert made.packages[:2] == ("akmod-nvidia-580xx", "xorg-x11-drv-nvidia-580xx-cuda")
    assert any("nonfree" in one for one in made.prerequisites)


@pytest.mark.parametrize(
    ("system", "cards", "wishes", "cure", "no_cure"),
    [
        ("ubuntu 24.04", "rubin", {}, "debian 12, debian 13, fedora 44, rocky 10", "unset"),
        ("rocky 9.6", "rubin", {"driver_branch": "620"}, "rocky 10", "unset"),
        ("debian 13", "pascal", {"driver_branch": "580"}, "leave driver_branch unset", "debian 13"),
        ("debian 13", "turing", {"driver_source": "debian-archive", "driver_flavour": "open"},
         "leave driver_source and driver_flavour unset", "debian 13"),
    ],
)  # fmt: skip
def test_what_a_distribution_lacks_is_refused_with_those_that_have_it(
    system: str, cards: str, wishes: dict[str, Any], cure: str, no_cure: str
) -> None:
    made = decided(box(system, CARDS[cards]), **wishes)
    assert isinstance(made, Refusal)
    assert cure in made.cure and no_cure not in made.cure

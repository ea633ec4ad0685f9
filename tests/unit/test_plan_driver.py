"""Which driver a machine gets: by PCI id, distribution, Secure Boot, wishes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.driver_matrix import driver_on
from tests.unit.plans import (
    AMPERE,
    BLACKWELL,
    DEBIAN_12,
    DEBIAN_13,
    FEDORA,
    HOPPER,
    KEPLER,
    MAXWELL,
    PASCAL,
    ROCKY_9,
    ROCKY_10,
    RUBIN,
    TURING,
    UBUNTU,
    VOLTA,
    installed,
    plan_on,
    refused,
)


@pytest.mark.parametrize(
    ("os", "ids", "branch", "flavour", "source"),
    [
        (UBUNTU, [PASCAL, PASCAL], "580", "proprietary", "ubuntu-archive"),
        (UBUNTU, [MAXWELL], "580", "proprietary", "ubuntu-archive"),
        (UBUNTU, [VOLTA], "580", "proprietary", "ubuntu-archive"),
        (UBUNTU, [TURING], "580", "open", "ubuntu-archive"),
        (UBUNTU, [AMPERE, BLACKWELL], "580", "open", "ubuntu-archive"),
        (UBUNTU, [PASCAL, AMPERE], "580", "proprietary", "ubuntu-archive"),
        (DEBIAN_13, [BLACKWELL], "620", "open", "nvidia-repository"),
        (DEBIAN_13, [TURING, HOPPER], "620", "open", "nvidia-repository"),
        (DEBIAN_13, [RUBIN], "620", "open", "nvidia-repository"),
        (DEBIAN_13, [PASCAL], "550", "proprietary", "debian-archive"),
        (DEBIAN_12, [PASCAL], "580", "proprietary", "nvidia-repository"),
        (DEBIAN_12, [PASCAL, AMPERE], "580", "proprietary", "nvidia-repository"),
        (DEBIAN_12, [BLACKWELL], "620", "open", "nvidia-repository"),
        (ROCKY_9, [PASCAL], "580", "proprietary", "nvidia-repository"),
        (ROCKY_9, [VOLTA, AMPERE], "580", "proprietary", "nvidia-repository"),
        (ROCKY_9, [BLACKWELL], "580", "open", "nvidia-repository"),
        (ROCKY_10, [MAXWELL], "580", "proprietary", "nvidia-repository"),
        (ROCKY_10, [TURING, BLACKWELL], "620", "open", "nvidia-repository"),
        (FEDORA, [PASCAL, AMPERE], "580", "proprietary", "rpmfusion"),
        (FEDORA, [BLACKWELL], "620", "open", "nvidia-repository"),
    ],
)
def test_the_card_and_the_distribution_decide(
    os: dict[str, Any], ids: list[str], branch: str, flavour: str, source: str
) -> None:
    found = driver_on(os, *ids)
    assert (found.branch, found.flavour, found.source) == (branch, flavour, source)
    assert found.reboot
    assert found.pin_version == f"{branch}.*"


def test_pascal_on_ubuntu_gets_the_archive_s_server_packages_and_the_running_kernel_s_headers() -> (
    None
):
    found = driver_on(UBUNTU, PASCAL)
    assert found.packages == (
        "nvidia-headless-580-server",
        "nvidia-utils-580-server",
        "linux-headers-generic",
    )
    assert found.headers == "linux-headers-6.8.0-60-generic"
    assert {"nvidia-headless-580-server", "libnvidia-compute-580-server"} <= set(found.hold)
    assert found.repository is None and found.remove == ()


def test_a_hardware_enablement_kernel_gets_its_own_header_meta_package() -> None:
    found = driver_on({**UBUNTU, "kernel": "6.17.0-20-generic"}, BLACKWELL)
    assert "linux-headers-generic-hwe-24.04" in found.packages
    assert "nvidia-headless-580-server-open" in found.packages


def test_blackwell_on_debian_gets_nvidia_s_repository_of_that_release() -> None:
    found = driver_on(DEBIAN_13, BLACKWELL)
    assert found.repository == "debian13"
    assert set(found.packages) == {
        "nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced",
        "linux-headers-amd64",
    }  # fmt: skip
    assert "nvidia-kernel-dkms" in driver_on(DEBIAN_12, PASCAL).packages
    assert driver_on(DEBIAN_13, PASCAL).components == ("contrib", "non-free", "non-free-firmware")


def test_without_a_card_there_is_no_driver() -> None:
    assert plan_on(DEBIAN_12).driver is None


@pytest.mark.parametrize("address", ["0000:01:00.0", "0000:02:00.0"])
def test_pascal_and_blackwell_in_one_machine_are_refused_with_ways_out(address: str) -> None:
    sentence = refused(plan_on(UBUNTU, PASCAL, BLACKWELL))
    assert address in sentence
    assert all(way in sentence for way in ("ignore_gpus", "RPC", "virtual machine", "nouveau"))
    allowed = plan_on(UBUNTU, PASCAL, BLACKWELL, ignore_gpus=(address,))
    assert allowed.refusal is None and allowed.driver is not None
    assert allowed.driver.flavour == ("open" if address.startswith("0000:01") else "proprietary")


def test_kepler_is_refused_unless_it_is_ignored() -> None:
    assert "0000:01:00.0" in refused(plan_on(UBUNTU, KEPLER, PASCAL))
    assert plan_on(UBUNTU, KEPLER, PASCAL, ignore_gpus=("0000:01:00.0",)).refusal is None


def test_secure_boot_takes_signed_modules_on_ubuntu_and_stops_elsewhere() -> None:
    found = driver_on(UBUNTU, PASCAL, secure_boot=True)
    assert "linux-modules-nvidia-580-server-generic" in found.packages
    assert "nvidia-headless-no-dkms-580-server" in found.packages
    assert found.headers is None and not any("headers" in name for name in found.packages[-1:])
    sentence = refused(plan_on(DEBIAN_13, BLACKWELL, secure_boot=True))
    assert "Secure Boot" in sentence and "mokutil" in sentence
    loaded = installed("620.22.03", "open", "620.22.03")
    assert plan_on(DEBIAN_13, BLACKWELL, secure_boot=True, nvidia=loaded).refusal is None


def test_debian_s_own_driver_is_refused_on_a_kernel_it_was_not_made_for() -> None:
    os = {**DEBIAN_13, "kernel": "6.17.8+deb13-amd64"}
    assert "6.17.8" in refused(plan_on(os, PASCAL))


@pytest.mark.parametrize(
    ("ids", "wishes", "named"),
    [
        ([PASCAL], {"driver_flavour": "open"}, "driver_flavour"),
        ([BLACKWELL], {"driver_flavour": "proprietary"}, "driver_flavour"),
        ([PASCAL], {"driver_branch": "595"}, "driver_branch"),
        ([BLACKWELL], {"driver_branch": "550"}, "driver_branch"),
        ([BLACKWELL], {"driver_branch": "newest"}, "driver_branch"),
        ([BLACKWELL], {"driver_source": "my-mirror"}, "driver_source"),
        ([BLACKWELL], {"driver_branch": "620"}, "620"),
        ([RUBIN], {}, "615"),
    ],
)
def test_wishes_that_the_cards_or_the_distribution_cannot_meet(
    ids: list[str], wishes: dict[str, Any], named: str
) -> None:
    assert named in refused(plan_on(UBUNTU, *ids, **wishes))


def test_a_wished_branch_and_flavour_win_over_the_preferred_and_the_installed() -> None:
    assert driver_on(UBUNTU, AMPERE, driver_branch="595").branch == "595"
    assert driver_on(UBUNTU, AMPERE, driver_flavour="proprietary").flavour == "proprietary"
    present = installed("580.126.09", "open")
    replaced = driver_on(UBUNTU, AMPERE, driver_branch="595", nvidia=present)
    assert (replaced.branch, replaced.source) == ("595", "ubuntu-archive")
    assert replaced.remove

"""What is held of a driver on apt hosts, and what is not."""

from __future__ import annotations

import re

from roles.driver import operations
from tests.unit.driver_hosts import NEWEST, NVIDIA_620, on, ryzen
from tests.unit.plans import PASCAL, UBUNTU
from tests.unit.role_host import RoleHost, box

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

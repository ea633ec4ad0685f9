"""Another driver on apt hosts: it goes when the right one is there, and nothing else with it."""

from __future__ import annotations

import pytest

from roles.driver import operations
from tests.unit.driver_apt import DRIVER, HEADERS, names_in, offering
from tests.unit.driver_hosts import NEWEST, NVIDIA_620, ryzen
from tests.unit.role_host import RoleHost, box

WRONG_595 = {
    "loaded": None, "installed": "595.58.03", "flavour": "proprietary", "userspace": "595.58.03",
}  # fmt: skip


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

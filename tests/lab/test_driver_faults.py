"""deploy/driver.py on hosts with something wrong: one run for all, each is answered for itself.

A host is replaced, mended or refused with its own sentence; those beside it go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import faults
from tests.lab.conftest import RunningLab, fresh_spares, say
from tests.lab.far import Far
from tests.lab.faults import State, state_of
from tests.lab.hosts import host_named
from tests.lab.lifecycle import power_cycle
from tests.lab.runs import Run, run, spares

pytestmark = pytest.mark.lab

DRIVER = "deploy/driver.py"
BACK_WITHIN_S = 15.0
"""How long hosts have for their reboot: one takes 2 s, beside ten others a few more."""

DONE = ("wrongpascal", "wrongblackwell", "secureubuntu", "halfdpkg")
REFUSED = (
    "dkmsfails", "neverback", "securedebian", "noheaders", "wrongkey", "badarchive", "unreachable",
    "fullboot",
)  # fmt: skip


@dataclass(frozen=True)
class Faulty:
    """The one run, and what the hosts were before it."""

    run: Run
    before: dict[str, State]


def options_of(lab: RunningLab) -> dict[str, dict[str, Any]]:
    """Each host's data beside the demo's."""
    data: dict[str, dict[str, Any]] = {name: {} for name in (*DONE, *REFUSED)}
    data["neverback"] = {"driver_reboot_timeout_s": BACK_WITHIN_S}
    real = lab.document["nvidia"]["keys"]["debian12"]
    # the same last digits, so that it is the very file that is fetched
    data["wrongkey"] = {"driver_nvidia_fingerprints": {"debian12": "0" * 32 + real[-8:]}}
    data["unreachable"] = {"driver_nvidia_repository_url": f"http://{lab.lab.gateway}:9"}
    return {name: {"model": "tiny-moe", **own} for name, own in data.items()}


@pytest.fixture(scope="module")
def faulty(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    names = [*DONE, *REFUSED]
    with fresh_spares(lab, names):
        faults.prepare(lab)
        before = {name: state_of(Far(lab, name)) for name in names}
        inventory = spares(lab, tmp_path_factory.mktemp("faulty"), options_of(lab))
        yield Faulty(run(lab, inventory, DRIVER), before)


def loaded(far: Far) -> str:
    """The first line of the loaded driver's version file."""
    return far.said("head -n1 /proc/driver/nvidia/version")


def test_only_the_hosts_that_cannot_be_served_fail(faulty: Faulty) -> None:
    assert faulty.run.failed == set(REFUSED), faulty.run.log[-8000:]
    assert set(faulty.run.refusals) == set(REFUSED)
    for name, sentence in faulty.run.refusals.items():
        assert "Cure:" in sentence, name
        assert "Traceback" not in sentence


@pytest.mark.parametrize(
    ("name", "wrong", "right", "text"),
    [
        ("wrongpascal", "595.58.03", "580.173.02", "NVIDIA UNIX x86_64 Kernel Module  580.173.02"),
        (
            "wrongblackwell",
            "595.58.03",
            "620.36.01",
            "NVIDIA UNIX Open Kernel Module for x86_64  620.36.01",
        ),
    ],
)
def test_a_driver_that_does_not_suit_is_replaced(
    lab: RunningLab, faulty: Faulty, name: str, wrong: str, right: str, text: str
) -> None:
    """595 open never drives a Pascal, and no proprietary module a Blackwell (nvidia.md, 1)."""
    far = Far(lab, name)
    assert text in loaded(far)
    listed = far.said("nvidia-smi --query-gpu=driver_version --format=csv,noheader")
    assert listed == right
    versions = far.said("dpkg-query -W -f '${db:Status-Status} ${Version}\\n' '*nvidia*'")
    assert wrong not in versions and f"installed {right}-" in versions
    assert far.said("cat /proc/sys/kernel/random/boot_id") != faulty.before[name].boot


def test_a_module_that_does_not_build_stops_before_the_reboot(
    lab: RunningLab, faulty: Faulty
) -> None:
    far = Far(lab, "dkmsfails")
    assert far.said("cat /proc/sys/kernel/random/boot_id") == faulty.before["dkmsfails"].boot
    assert far.run("find /lib/modules -name 'nvidia*.ko' | grep .").returncode != 0
    assert "implicit declaration of function 'vm_flags_set'" in faulty.run.refusals["dkmsfails"]


def test_a_host_that_does_not_come_back_is_told_in_time(faulty: Faulty) -> None:
    assert f"within {BACK_WITHIN_S:.0f} s" in faulty.run.refusals["neverback"]


def test_secure_boot_gets_modules_that_ubuntu_signed(lab: RunningLab, faulty: Faulty) -> None:
    far = Far(lab, "secureubuntu")
    kernel = host_named("secureubuntu").kernel
    (module,) = far.said(f"find /lib/modules/{kernel} -name 'nvidia.ko'").splitlines()
    assert "Canonical" in far.said(f"modinfo -F signer {module}")
    assert far.run("dpkg-query -W -f '${db:Status-Status}' 'nvidia-dkms-*'").stdout == ""
    package = f"linux-modules-nvidia-580-server-{kernel}"
    assert far.said(f"dpkg-query -W -f '${{db:Status-Status}}' {package}") == "installed"
    assert "580.173.02" in loaded(far)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("noheaders", "linux-headers-6.12.41+deb13-amd64"),
        ("wrongkey", "fingerprint"),
        ("badarchive", "could not fetch the lists of packages"),
    ],
)
def test_what_cannot_be_had_is_named_and_no_driver_is_begun(
    lab: RunningLab, faulty: Faulty, name: str, said: str
) -> None:
    far = Far(lab, name)
    assert said in faulty.run.refusals[name]
    assert far.run("dpkg-query -W 'nvidia-*' 'libnvidia-*' libcuda1 dkms").stdout == ""
    assert far.said("cat /proc/sys/kernel/random/boot_id") == faulty.before[name].boot


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("securedebian", "mokutil --import"),
        ("unreachable", "does not reach the key of NVIDIA's repository"),
        ("fullboot", "MiB free on /boot"),
    ],
)
def test_a_host_that_is_refused_beforehand_is_as_it_was(
    lab: RunningLab, faulty: Faulty, name: str, said: str
) -> None:
    assert said in faulty.run.refusals[name]
    assert state_of(Far(lab, name)) == faulty.before[name]


def test_half_configured_packages_are_finished(lab: RunningLab, faulty: Faulty) -> None:
    far = Far(lab, "halfdpkg")
    assert far.said("dpkg --audit") == ""
    assert far.said("apt-get check -qq") == ""
    assert far.said("dpkg-query -W -f '${db:Status-Status}' libgomp1") == "installed"
    assert "580.178.04" in loaded(far)


def test_zz_the_next_run_goes_on_where_it_can(
    lab: RunningLab, faulty: Faulty, tmp_path: Path
) -> None:
    """The build's cause is gone, the lost host is back by hand; what was done stays as it is."""
    Far(lab, "dkmsfails").said(f"rm {faults.DKMS_COMPLAINT}")
    neverback = host_named("neverback")
    power_cycle(lab.lab, neverback, lambda disk: (disk / faults.SSH_MASK).unlink(), say)
    boots = {name: lab.boot_id(name) for name in (*DONE, "neverback")}
    options = options_of(lab)
    names = (*DONE, "neverback", "dkmsfails")
    again = run(lab, spares(lab, tmp_path, {name: options[name] for name in names}), DRIVER)
    assert again.code == 0, again.log[-6000:]
    assert {name: lab.boot_id(name) for name in boots} == boots
    assert [name for name in DONE if again.changed(name)] == []
    for name in ("neverback", "dkmsfails"):
        assert "620.36.01" in loaded(Far(lab, name))

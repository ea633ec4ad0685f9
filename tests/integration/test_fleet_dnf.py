"""deploy/driver.py on pretended Rocky and Fedora hosts: what is sent, in which order, until where.

No such host exists here: its answers are fixtures, and what they would do is not shown by this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.fleet import Endpoints, endpoints, report, run_fleet
from tests.integration.test_fleet import (
    FEDORA,
    ROCKY,
    ROCKY_ASSET,
    access,
    refusal_in,
    sent_to,
    without_facts,
)
from tests.lab.runs import Run

V580 = "3:580.178.04-1"
KEY = "610C7B14E068A878070DA4E99CD0A493D42D0685"


def rows(*names: str) -> str:
    """What `dnf repoquery` prints for packages of the driver and for a kernel's headers."""
    return "\n".join(f"{name.split('-5.')[0].split('-7.')[0]}\t{V580}\t{name}" for name in names)


def missing(*names: str) -> dict[str, str]:
    """Answers of the fact that asks rpm what is not provided, by the last name it asks for."""
    last = ("tar", "python3-dnf-plugin-versionlock", "distribution-gpg-keys")
    return {f"{name} ; do rpm": "\n".join(names) for name in last}


def host(where: Endpoints, os: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    responses = {
        "boxwright refuses": {"success": False},
        "show_access": access(),
        "boxwright.machine/": json.dumps(report("xeon", os=os)),
        "--output /dev/null": "reached",
        "--downloadonly": "Transaction Summary\n=====\nInstall  5 Packages",
        "uname -s": "Linux",
        "/etc/passwd": "llama:x:998:998::/var/cache/llama-server:/usr/sbin/nologin|llama|llama||!",
        "cat /etc/group": "llama:x:998:",
        **answers,
    }
    rows = {"runtime_asset_rows": [ROCKY_ASSET]}
    return {**where.data(), **rows, "fake_responses": responses}


def fleet(where: Endpoints) -> dict[str, dict[str, Any]]:
    el9, fc44 = ROCKY["kernel"], FEDORA["kernel"]
    rocky = {
        **missing("epel-release"),
        "repoquery": rows(
            "nvidia-driver-cuda", "kmod-nvidia-latest-dkms", "nvidia-persistenced",
            f"kernel-devel-{el9}", f"kernel-devel-matched-{el9}",
        ),
        "nvidia.part 2>/dev/null": f"pub:-:\nfpr:::::::::{KEY}:",
        "repolist": "repo id  repo name\nbaseos  Rocky Linux 9 - BaseOS",
        "make.log": "dkms status: nvidia/580.178.04: added\nnv.c:1: error: no member named",
    }  # fmt: skip
    fedora = {
        **missing("distribution-gpg-keys"),
        "repoquery": rows(
            "akmod-nvidia-580xx", "xorg-x11-drv-nvidia-580xx-cuda",
            f"kernel-devel-{fc44}", f"kernel-devel-matched-{fc44}",
        ),
        "make.log": "nv.c:1: error: no member named",
    }  # fmt: skip
    return {"rocky9": host(where, ROCKY, rocky), "fedora44": host(where, FEDORA, fedora)}


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with endpoints(tmp_path_factory.mktemp("world")) as where:
        yield run_fleet(tmp_path_factory.mktemp("driven"), "deploy/driver.py", fleet(where))


STEPS = {
    "rocky9": (
        r"install epel-release",  # the fixture's answer to every question of what is missing
        r"curl --config - .*RPM-GPG-KEY-boxwright-nvidia\.part",
        r"mv -T /etc/pki/rpm-gpg/RPM-GPG-KEY-boxwright-nvidia\.part",
        r"/etc/yum\.repos\.d/boxwright-nvidia\.repo",
        r"config-manager --set-enabled crb",
        r"module reset nvidia-driver && .*module enable nvidia-driver:580-dkms",
        r"versionlock add .*nvidia-driver\*-580\.\*",
        r"install .*kernel-devel-5\.14\.0-570\.17\.1\.el9_6\.x86_64.*nvidia-driver-cuda-580\.\*",
        r"dkms autoinstall -k 5\.14\.0-570\.17\.1\.el9_6\.x86_64",
    ),
    "fedora44": (
        r"rpmkeys --import .*rpmfusion-free-fedora-44 .*rpmfusion-nonfree-fedora-44",
        r"localpkg_gpgcheck=True install https://mirrors\.rpmfusion\.org/free/fedora/",
        r"install .*kernel-devel-7\.2\.6-200\.fc44\.x86_64.*akmod-nvidia-580xx-580\.\*",
        r"akmods --force --kernels 7\.2\.6-200\.fc44\.x86_64",
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_steps_come_in_order_and_end_before_a_reboot(driven: Run, name: str) -> None:
    sent = [" ".join(command.split()) for command in sent_to(driven, name)]
    at = 0
    for step in STEPS[name]:
        found = [number for number in range(at, len(sent)) if re.search(step, sent[number])]
        assert found, f"{step} is not sent after {sent[at]}"
        at = found[0]
    (sentence,) = {one for one in map(refusal_in, sent) if one}
    assert "a reboot would leave the cards dark" in sentence and "no member named" in sentence
    assert not any("systemctl reboot" in command or "rmmod" in command for command in sent)


@pytest.mark.parametrize("name", STEPS)
def test_nothing_of_the_other_family_is_called(driven: Run, name: str) -> None:
    changing = [without_facts(command) for command in sent_to(driven, name)]
    assert not [one for one in changing if re.search(r"apt-get|apt-cache|dpkg|/etc/apt", one)]

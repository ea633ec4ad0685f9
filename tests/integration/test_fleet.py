"""One run over a fleet of good and bad hosts: each bad one is refused alone, in a sentence."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.fleet import Endpoints, endpoints, report, run_fleet
from tests.lab.runs import Run

P5000_A, P5000_B = "0000:03:00.0", "0000:82:00.0"
NEVER_SENT = re.compile(
    r"apt-get (install|update)|dnf -y|rpmkeys|rpm -e|groupadd|useradd|systemctl (re)?start|flock"
    r"|mv -T|tee |mkdir -p"
)


def gpu(pci: str, device: str, **more: Any) -> dict[str, Any]:
    return {"pci": pci, "id": device, "class": "0x030000", **more}


def access(uid: int = 0, sudo: bool = True, init: str = "systemd", behind_s: int = 0) -> str:
    """What the access script prints, with the clock of this moment."""
    user = "root" if uid == 0 else "engineer"
    said = "" if sudo else "sudo: a password is required"
    who = f"who\t{uid}\t{user}\t{'yes' if sudo else 'no'}\t{said}"
    return f"{who}\ninit\t{init}\nclock\t{int(time.time()) - behind_s}"


@dataclass(frozen=True)
class Bad:
    """A host that has to be refused: its report, what it says of access, and words to expect.

    `said` are the number found, the number needed and the cure, as far as they are fixed.
    """

    machine: Callable[[], dict[str, Any]]
    said: tuple[str, ...]
    access: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)


def ryzen(**changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: report("ryzen", **changes)


def small_disk() -> dict[str, Any]:
    disks = [{"mount": "/", "filesystem": "ext4", "size_mib": 64000, "free_mib": 20000}]
    return report("ryzen", disks=disks)


BAD = {
    "gentoo": Bad(
        ryzen(os={"id": "gentoo", "version_id": "2.18"}), ("gentoo 2.18", "debian 13", "fedora 44")
    ),
    "arm": Bad(ryzen(os={"arch": "aarch64"}), ("aarch64", "x86_64")),
    "sysvinit": Bad(ryzen(os={"init": None}), ("init", "systemd"), access={"init": "init"}),
    "nosudo": Bad(ryzen(), ("uid 1000", "_sudo"), access={"uid": 1000, "sudo": False}),
    "sudofails": Bad(
        ryzen(),
        ("uid 1000", "_sudo_password"),
        access={"uid": 1000, "sudo": False},
        data={"_sudo": True},
        answers={"id -u": {"success": False}},
    ),
    "clock": Bad(ryzen(), ("s behind", "at most 120 s"), access={"behind_s": 7200}),
    "future": Bad(ryzen(gpus=[gpu("0000:01:00.0", "10de:2bbf")]), ("10de:2bbf", "gpu_vram_mib")),
    "smalldisk": Bad(small_disk, ("20000 MiB", "models_directory")),
    "smallram": Bad(
        ryzen(memory={"total_mib": 32000, "available_mib": 31000, "swap_mib": 0, "dimms": []}),
        ("has 32000", "MiB of host RAM"),
    ),
    "kepler": Bad(ryzen(gpus=[gpu("0000:01:00.0", "10de:1180")]), ("Kepler", "0000:01:00.0")),
    "mixed": Bad(
        ryzen(gpus=[gpu(P5000_A, "10de:1bb0"), gpu(P5000_B, "10de:2b85")]),
        (P5000_A, P5000_B, "ignore_gpus"),
    ),
    "secureboot": Bad(ryzen(secure_boot=True), ("Secure Boot",)),
}
ROCKY = {
    "id": "rocky", "version_id": "9.6", "kernel": "5.14.0-570.17.1.el9_6.x86_64", "glibc": "2.34",
}  # fmt: skip
FEDORA = {"id": "fedora", "version_id": "44", "kernel": "7.2.6-200.fc44.x86_64", "glibc": "2.43"}
# an asset that its older glibc runs; without one llama.cpp would be compiled there
ROCKY_ASSET = {
    "build": "b11669", "asset": "llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz", "cuda": "12.8",
    "cudart": "cudart-llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz", "archs": ["61-virtual"],
    "glibc": "2.34", "arch": "x86_64",
}  # fmt: skip
WITH_AMD = [gpu("0000:01:00.0", "10de:2b85"), gpu("0000:0e:00.0", "1002:73bf")]
GOOD: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any]]] = {
    "good": (ryzen(), {}),
    "pascal": (lambda: report("xeon"), {}),
    "amdbeside": (ryzen(gpus=WITH_AMD), {}),
    "rocky9": (lambda: report("xeon", os=ROCKY), {"runtime_asset_rows": [ROCKY_ASSET]}),
    "fedora44": (lambda: report("xeon", os=FEDORA), {}),
    # each cure that the refusals above give, taken
    "curedmixed": (
        ryzen(gpus=[gpu(P5000_A, "10de:1bb0"), gpu(P5000_B, "10de:2b85")]),
        {"ignore_gpus": [P5000_A]},
    ),
    "curedfuture": (
        ryzen(gpus=[gpu("0000:01:00.0", "10de:2bbf")]),
        {"gpu_vram_mib": {"0000:01:00.0": 32000}},
    ),
}


def host(
    machine: dict[str, Any], login: str, where: Endpoints, data: dict[str, Any], answers: Any
) -> dict[str, Any]:
    """Inventory data of one pretended host; the first answer whose key is in a command is given."""
    responses = {
        "boxwright refuses": {"success": False},
        "show_access": login,
        "boxwright.machine/": json.dumps(machine),
        "apt-helper": "reached",
        "--output /dev/null": "reached",
        **answers,
    }
    return {**where.data(), **data, "fake_responses": responses}


def bad_hosts(where: Endpoints) -> dict[str, dict[str, Any]]:
    return {
        name: host(bad.machine(), access(**bad.access), where, bad.data, bad.answers)
        for name, bad in BAD.items()
    }


def good_hosts(where: Endpoints) -> dict[str, dict[str, Any]]:
    return {
        name: host(machine(), access(), where, data, {}) for name, (machine, data) in GOOD.items()
    }


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with endpoints(tmp_path_factory.mktemp("world")) as where:
        yield where


@pytest.fixture(scope="module")
def checked(servers: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Good and bad hosts in one run of the checks."""
    fleet = {**good_hosts(servers), **bad_hosts(servers)}
    return run_fleet(tmp_path_factory.mktemp("checked"), "preflight", fleet)


@pytest.fixture(scope="module")
def deployed(servers: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The bad hosts in a run of the whole deploy."""
    return run_fleet(tmp_path_factory.mktemp("deployed"), "deploy/all.py", bad_hosts(servers))


def sent_to(run: Run, name: str) -> list[str]:
    """What was sent to a host, as pyinfra's log (-vv) tells it."""
    return re.findall(rf"\[@fake/{name}\]\s+>>> (.*(?:\n(?!\s*\[|-->).*)*)", run.log)


def test_a_run_with_refused_hosts_does_not_end_well(checked: Run) -> None:
    assert checked.code == 1
    assert checked.failed == {f"@fake/{name}" for name in BAD}, checked.log[-6000:]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_host_is_refused_with_what_was_found_and_needed_and_a_cure(
    checked: Run, name: str
) -> None:
    (sentence,) = {one for one in map(refusal_in, sent_to(checked, name)) if one}
    for words in BAD[name].said:
        assert words in sentence
    assert re.search(r"\. Cure: .+\.$", sentence), sentence
    assert "could not be worked out" not in sentence, "an exception, not a judgement"


@pytest.mark.parametrize("name", GOOD)
def test_a_good_host_beside_them_passes_every_check(checked: Run, name: str) -> None:
    assert checked.report is not None
    for operation in checked.report["results"]["operations"]:
        assert f"@fake/{name}" in operation["no_change"], operation["name"]


def test_a_card_of_another_maker_is_a_sentence_and_no_failure(checked: Run) -> None:
    notes = [line for line in checked.log.splitlines() if "[@fake/amdbeside]" in line]
    (note,) = [line for line in notes if "0000:0e:00.0" in line and "note" in line]
    assert "AMD" in note


@pytest.mark.parametrize("name", BAD)
def test_nothing_but_questions_is_sent_to_a_refused_host(deployed: Run, name: str) -> None:
    sent = sent_to(deployed, name)
    assert any("show_access" in command for command in sent)
    assert any(refusal_in(command) for command in sent)
    changing = [command for command in sent if NEVER_SENT.search(without_facts(command))]
    assert changing == []


def refusal_in(command: str) -> str | None:
    found = re.search(r"boxwright refuses: (.*)' >&2; exit 1", command, re.DOTALL)
    return found[1].replace("'\"'\"'", "'") if found else None


def without_facts(command: str) -> str:
    """A fact's script is a question whatever words are in it; they begin with their settings."""
    return "" if re.match(r"sh -c '?(LC_ALL=C|SYSROOT=|# encode|encode\(\))", command) else command

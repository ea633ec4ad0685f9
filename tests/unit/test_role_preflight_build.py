"""Preflight of a release from source: room for the build, and that what it needs can be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.facts.files import Directory, File

from boxwright import supply
from boxwright.machine import Disk
from boxwright.supply import Failure
from roles.preflight import endpoints, operations
from roles.preflight.reach import Reach, ReachAnswer
from tests.unit.plans import DEBIAN_12, DEBIAN_13, PASCAL, gpu, machine
from tests.unit.role_host import RoleHost, box

URL = "https://api.github.com/repos/ggml-org/llama.cpp/tarball/b11669"
ROOMY = {"/": 60000, "/srv": 800000}


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply, "source_tree", lambda *_: URL)


def on(tmp_path: Path, os: dict[str, Any] = DEBIAN_12, free_mib: Any = ROOMY) -> RoleHost:
    """The article's xeon with one P5000 and its driver installed, so that only the build lacks."""
    branch = {"12": "580.178.04", "13": "550.163.01"}[os["version_id"]]
    nvidia = {"installed": branch, "userspace": branch, "loaded": branch, "flavour": "proprietary"}
    cards = [gpu("0000:01:00.0", PASCAL, driver="nvidia")]
    found = machine("xeon", os=os, gpus=cards, nvidia=nvidia)
    disks = tuple(Disk(mount, "ext4", 900000, free) for mount, free in free_mib.items())
    built = replace(found, disks=disks, llama=replace(found.llama, build="b1"))
    host = box(built, gpu_vram_mib={"0000:01:00.0": 16384}, runtime_packs_directory=str(tmp_path))
    host.facts |= {Directory: None, File: None, Reach: ReachAnswer(True)}
    return host


# Debian 12: 6144 to build, 1536 for the release, 4096 for NVIDIA's packages
@pytest.mark.parametrize(
    ("free_mib", "refused"),
    [
        ({"/": 11776, "/srv": 800000}, None),
        ({"/": 11775, "/srv": 800000}, "needs 11776 MiB free on /"),
        ({"/": 10240, "/opt": 1536, "/srv": 800000}, None),
        ({"/": 10240, "/opt": 1535, "/srv": 800000}, "needs 1536 MiB free on /opt"),
        ({"/": 20000, "/var": 6143, "/srv": 800000}, "needs 6144 MiB free on /var"),
    ],
)
def test_what_a_build_takes_adds_up_on_the_disks_it_lies_on(
    tmp_path: Path, free_mib: dict[str, int], refused: str | None
) -> None:
    host = on(tmp_path, free_mib=free_mib)
    host.run(operations.has_room)
    assert (host.refusal is None) is (refused is None), host.refusal
    assert refused is None or refused in str(host.refusal)


def test_a_toolkit_that_is_there_takes_no_room(tmp_path: Path) -> None:
    tight = {"/": 7680, "/srv": 800000}
    lacking, having = on(tmp_path, free_mib=tight), on(tmp_path, free_mib=tight)
    lacking.run(operations.has_room)
    assert lacking.refusal is not None and "needs 11776 MiB" in lacking.refusal
    having.facts[File] = lambda path: {"mode": 755} if path.endswith("12.8/bin/nvcc") else None
    assert having.run(operations.has_room) == []


def test_a_build_that_has_begun_has_its_room_already(tmp_path: Path) -> None:
    host = on(tmp_path, free_mib={"/": 100, "/srv": 800000})
    host.facts[Directory] = lambda path: {"mode": 755} if path.endswith("x86_64/source") else None
    assert host.run(operations.has_room) == []


# Debian 12's release takes 1536 MiB, the pack of it here 600 MiB and a byte
@pytest.mark.parametrize(
    ("free_mib", "refused"),
    [
        ({"/": 2137, "/srv": 800000}, None),
        ({"/": 2136, "/srv": 800000}, "needs 2137 MiB free on /"),
        ({"/": 1536, "/var": 601, "/srv": 800000}, None),
        ({"/": 1536, "/var": 600, "/srv": 800000}, "needs 601 MiB free on /var"),
    ],
)
def test_a_pack_needs_little_and_nothing_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: dict[str, int], refused: str | None
) -> None:
    host = on(tmp_path, free_mib=free_mib)
    pack = supply.Pack(tmp_path, "0" * 64, 600 * 1024 * 1024 + 1)
    monkeypatch.setattr(supply, "source_tree", lambda *_: Failure("no network", "none"))
    monkeypatch.setattr(supply, "find_pack", lambda *_: pack)
    host.facts[Reach] = ReachAnswer(False, "no network")
    assert host.run(endpoints.endpoints_answer) == []
    host.run(operations.has_room)
    assert (host.refusal is None) is (refused is None), host.refusal
    assert refused is None or refused in str(host.refusal)


def test_a_source_that_is_not_there_is_told_before_anything_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = on(tmp_path)
    assert host.run(endpoints.endpoints_answer) == []
    told = Failure("no source b11669 of ggml-org/llama.cpp (HTTP 404)", "correct runtime_build")
    monkeypatch.setattr(supply, "source_tree", lambda *_: told)
    host.run(endpoints.endpoints_answer)
    assert host.refusal is not None and "no source b11669" in host.refusal


def test_a_host_that_does_not_reach_the_toolkit_is_told(tmp_path: Path) -> None:
    host = on(tmp_path)
    asked: list[str] = []

    def reach(urls: list[str]) -> ReachAnswer:
        asked.extend(urls)
        return ReachAnswer(False, "404  Not Found")

    host.facts[Reach] = reach
    host.run(endpoints.endpoints_answer)
    assert host.refusal is not None and "key of NVIDIA's repository" in host.refusal
    assert all("/repos/debian12/x86_64/3" in url for url in asked)
    asked.clear()
    tarballs = on(tmp_path, DEBIAN_13)
    tarballs.data.values |= {"runtime_compile": "always", "runtime_cuda": "12.8"}
    tarballs.facts[Reach] = reach
    tarballs.run(endpoints.endpoints_answer)
    assert tarballs.refusal is not None and "runtime_cuda_redist_url" in tarballs.refusal
    (url,) = asked
    assert url.endswith(
        "/redist/cuda_cccl/linux-x86_64/cuda_cccl-linux-x86_64-12.8.90-archive.tar.xz"
    )
    # Debian's own toolkit asks nothing of NVIDIA
    own = on(tmp_path, DEBIAN_13)
    own.facts[Reach] = reach
    assert own.run(endpoints.endpoints_answer) == []

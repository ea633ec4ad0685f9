"""The preflight role's own parts; fleets of bad hosts are in tests/integration/test_fleet.py."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from boxwright import facts, supply
from boxwright.facts import Access, AccessState, PortOwner, Service, ServiceState
from boxwright.machine import Disk
from boxwright.plan.results import ModelFile
from roles.preflight import endpoints, operations
from roles.preflight.reach import EffectiveUser
from tests.integration.preflight_hosts import with_release
from tests.unit.plans import machine, tiny
from tests.unit.role_host import RoleHost, box
from tests.unit.shell import answered

NOW_S = 1_790_000_000
ROOT_ACCESS = AccessState(uid=0, user="root", sudo=True, init="systemd")


def logged_in(**access: object) -> RoleHost:
    host = RoleHost()
    given: dict[str, Any] = {"epoch_s": NOW_S, **access}
    host.facts[Access] = replace(ROOT_ACCESS, **given)
    return host


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is NOW_S on this machine, however long a test takes."""
    monkeypatch.setattr(operations, "time", SimpleNamespace(time=lambda: float(NOW_S)))


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("ahead_s", [0, 90, -90])
def test_a_clock_that_is_near_enough_passes(ahead_s: int) -> None:
    host = logged_in(epoch_s=NOW_S + ahead_s)
    assert host.run(operations.may_be_changed) == []


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize(("ahead_s", "word"), [(7200, "ahead of"), (-7200, "behind")])
def test_a_clock_that_is_far_off_is_told_with_its_direction(ahead_s: int, word: str) -> None:
    host = logged_in(epoch_s=NOW_S + ahead_s)
    host.run(operations.may_be_changed)
    assert host.refusal is not None and word in host.refusal
    assert "7200 s" in host.refusal


@pytest.mark.usefixtures("stopped_clock")
def test_another_init_is_named() -> None:
    host = logged_in(init="init")
    host.run(operations.may_be_changed)
    assert host.refusal is not None and "process 1 is init" in host.refusal


@pytest.mark.parametrize(
    ("owner", "main_pid", "refused"),
    [
        (None, 0, False),
        (PortOwner(77, "llama-server"), 77, False),
        (PortOwner(78, "nginx"), 77, True),
        (PortOwner(0, "unknown"), 0, True),
    ],
    ids=["free", "ours", "another-s", "nobody-s-we-may-see"],
)
def test_the_port_is_free_or_our_own(owner: PortOwner | None, main_pid: int, refused: bool) -> None:
    host = box(machine("plain"), server_port=9090)
    host.facts[Service] = ServiceState(main_pid=main_pid, port_owner=owner)
    host.run(operations.port_is_free)
    assert (host.refusal is not None) is refused
    if refused and owner is not None:
        assert "9090" in str(host.refusal) and owner.command in str(host.refusal)


def test_a_full_system_disk_is_refused_before_the_driver() -> None:
    tight = (Disk("/", "ext4", 40000, 2000), Disk("/srv", "ext4", 900000, 800000))
    host = with_release(box(replace(machine("ryzen"), disks=tight)), cuda="13.4")
    host.run(operations.has_room)
    assert host.refusal is not None
    assert "2000 MiB" in host.refusal and f"{operations.DRIVER_MIB} MiB" in host.refusal


def test_a_full_boot_is_refused_before_the_driver_with_the_number() -> None:
    disks = (
        Disk("/", "ext4", 400000, 300000), Disk("/srv", "ext4", 900000, 800000),
        Disk("/boot", "ext4", 500, 120),
    )  # fmt: skip
    host = with_release(box(replace(machine("ryzen"), disks=disks)), cuda="13.4")
    host.run(operations.has_room)
    assert host.refusal is not None
    assert "200 MiB" in host.refusal and "120 MiB" in host.refusal and "/boot" in host.refusal
    assert "autoremove" in host.refusal
    roomy = (*disks[:2], Disk("/boot", "ext4", 500, 260))
    host = with_release(box(replace(machine("ryzen"), disks=roomy)), cuda="13.4")
    assert host.run(operations.has_room) == []


def test_a_host_that_was_set_up_before_may_be_nearly_full() -> None:
    found = replace(machine("plain"), disks=(Disk("/", "ext4", 40000, 200),))
    found = replace(found, llama=replace(found.llama, build="b11669"))
    assert with_release(box(found), cuda=None).run(operations.has_room) == []


def test_a_release_of_other_assets_is_missing_for_the_disk_and_the_endpoints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The runtime role installs it anew, so preflight asks what that takes."""
    asked: list[tuple[str, ...]] = []

    def assets(build: str, names: tuple[str, ...], _: Any) -> Any:
        asked.append(names)
        return (supply.ReleaseAsset(names[0], "http://x/y", 200 * 1024 * 1024, "0" * 64),)

    monkeypatch.setattr(supply, "release_assets", assets)
    found = machine("plain")
    found = replace(found, llama=replace(found.llama, build="b11669"))
    for free_mib, room in ((1000, True), (999, False)):
        disks = (Disk("/", "ext4", 40000, free_mib),)
        host = box(replace(found, disks=disks))
        with_release(host, cuda=None, assets=["llama-b11669-bin-of-a-mirror.tar.gz"])
        assert (host.run(operations.has_room) == []) is room
        assert room or "needs 1000 MiB free on /" in str(host.refusal)
    asked.clear()
    monkeypatch.setattr(supply, "release_assets", lambda *_: supply.Failure("no such", "mend"))
    host.run(endpoints.endpoints_answer)
    assert host.refusal is not None and "no such" in host.refusal


def test_what_fits_alone_and_not_together_is_refused_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plan sees that the model fits, and the driver would: then the model no longer does."""
    files = (ModelFile("tiny.gguf", tiny().file_bytes, "b" * 64),)
    model = supply.ResolvedModel(files, "a" * 40, tiny())
    monkeypatch.setattr(supply, "model_from_hub", lambda *_: model)
    found, reserve_mib = machine("ryzen"), 1024
    model_mib = -(-tiny().file_bytes // (1024 * 1024))
    need_mib = operations.DRIVER_MIB + operations.BOOT_MIB + model_mib + reserve_mib
    for free_mib, fits in ((need_mib, True), (need_mib - 1, False)):
        disks = (Disk("/", "ext4", 90000, free_mib),)
        host = with_release(box(replace(found, disks=disks)), cuda="13.4")
        host.facts[facts.Models] = facts.ModelsState(directory="/srv/models")
        assert host.run(operations.can_be_served) == []
        assert (host.run(operations.has_room) == []) is fits, host.refusal
        if not fits:
            assert "the driver (3072 MiB)" in str(host.refusal)
            assert f"need {need_mib} MiB free on /" in str(host.refusal)


def test_who_sudo_makes_of_the_login_is_asked_of_id() -> None:
    assert answered(EffectiveUser) == os.geteuid()
    assert EffectiveUser().process(["Welcome", "1000"]) == 1000

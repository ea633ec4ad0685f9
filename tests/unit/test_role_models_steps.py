"""Bodies of the models role: what a stamp vouches for, and room on the disks."""

from __future__ import annotations

from dataclasses import replace

from pyinfra.context import ctx_host

from boxwright import facts
from boxwright.operation import Need, no_room
from roles.models import operations as models
from roles.models import proofs
from tests.unit.plans import machine
from tests.unit.role_host import box


def test_a_model_that_its_stamp_vouches_for_costs_no_command() -> None:
    host = box(machine("ryzen"))
    for step in (models.adopt_files, models.fetch_files, models.stamp_files, proofs.prove_files):
        assert host.run(step) == []


def test_a_model_that_was_touched_is_no_longer_proved() -> None:
    host = box(machine("ryzen"))
    with ctx_host.use(host):
        state = host.get_fact(facts.Models, directory="/srv/models")
    touched = replace(state, files=(replace(state.files[0], mtime_s=2),))
    host.facts[facts.Models] = lambda directory: touched
    host.run(proofs.prove_files)
    assert host.refusal is not None and "tiny.gguf" in host.refusal


def test_room_is_asked_of_the_mount_that_holds_the_path() -> None:
    disks = [
        {"mount": "/", "filesystem": "ext4", "size_mib": 100, "free_mib": 50},
        {"mount": "/srv", "filesystem": "ext4", "size_mib": 1000, "free_mib": 900},
    ]
    report = machine("ryzen", disks=disks)
    assert no_room(report, Need("model x", "/srv/models", 900, "free space")) is None
    full = no_room(report, Need("model x", "/srv/models", 901, "free space"))
    assert full is not None
    assert full.reason == "model x needs 901 MiB free on /srv (/srv/models), has 900 MiB"
    assert full.cure == "free space"
    assert no_room(report, Need("x", "/srvother", 51, "y")) is not None


def test_what_lies_on_one_disk_has_to_fit_there_together() -> None:
    disks = [
        {"mount": "/", "filesystem": "ext4", "size_mib": 100, "free_mib": 50},
        {"mount": "/srv", "filesystem": "ext4", "size_mib": 1000, "free_mib": 900},
    ]
    report = machine("ryzen", disks=disks)
    parts = (Need("a", "/usr", 30, "clean"), Need("b", "/opt", 10, "move b"))
    assert no_room(report, *parts, Need("m", "/srv/models", 900, "less")) is None
    full = no_room(report, *parts, Need("b", "/var", 11, "move b"))
    assert full is not None and full.cure == "clean; or move b"
    assert full.reason == "a (30 MiB) and b (21 MiB) need 51 MiB free on /, has 50 MiB"

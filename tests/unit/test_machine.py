"""The machine report: what is accepted, what is refused, and that nothing is lost on the way."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from boxwright.machine import MachineError, machine_from_json
from tests.unit.probing import MACHINES

REPORTS = sorted(MACHINES.glob("*.json"))


def xeon() -> Any:
    return json.loads((MACHINES / "xeon.json").read_text())


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_a_report_comes_back_as_it_was(path: Any) -> None:
    document = json.loads(path.read_text())
    machine = machine_from_json(document)
    assert machine.hostname == path.stem
    written = machine.to_json()
    assert written == document
    assert machine_from_json(json.loads(json.dumps(written))) == machine


def test_the_example_of_the_design_is_a_report() -> None:
    """Fields that were added since have defaults, so older reports stay readable."""
    document = {
        "schema": "boxwright.machine/1",
        "hostname": "xeon",
        "os": {
            "id": "ubuntu",
            "version_id": "24.04",
            "kernel": "6.8.0-60-generic",
            "arch": "x86_64",
            "glibc": "2.39",
        },
        "cpu": {"model": "E5", "sockets": 2, "cores": 40, "threads": 80, "flags": ["avx2"]},
        "numa": [{"node": 0, "cpus": "0-19,40-59", "memory_mib": 64301}],
        "memory": {
            "total_mib": 128750,
            "available_mib": 126000,
            "swap_mib": 0,
            "dimms": [{"size_mib": 16384, "speed_mts": 2400}],
        },
        "gpus": [
            {
                "pci": "0000:03:00.0",
                "id": "10de:1bb0",
                "subsystem": "10de:11b2",
                "class": "0x030000",
                "driver": "nouveau",
                "numa_node": 0,
                "link_speed_gts": 8.0,
                "link_width": 16,
                "name": None,
                "vram_mib": None,
                "compute_cap": None,
            }
        ],
        "disks": [{"mount": "/srv", "filesystem": "ext4", "size_mib": 1900000, "free_mib": 150}],
        "secure_boot": False,
        "nvidia": {"loaded": None, "installed": None, "flavour": None},
        "llama": {"build": None, "service": "absent", "model": None},
    }
    machine = machine_from_json(document)
    assert machine.gpus[0].class_ == "0x030000"
    assert machine.disks[0].read_only is False and machine.container is None


def test_fields_of_a_later_version_do_no_harm() -> None:
    document = xeon() | {"bmc": {"vendor": "x"}}
    document["gpus"][0]["bar1_mib"] = 256
    assert machine_from_json(document) == machine_from_json(xeon())


def _without(path: str) -> Any:
    document = copy.deepcopy(xeon())
    *heads, last = path.split(".")
    place = document
    for head in heads:
        place = place[int(head) if head.isdigit() else head]
    del place[last]
    return document


@pytest.mark.parametrize("path", ["hostname", "os", "cpu.cores", "memory.total_mib", "gpus.1.pci"])
def test_a_report_without_a_field_names_it(path: str) -> None:
    with pytest.raises(MachineError, match=path):
        machine_from_json(_without(path))


@pytest.mark.parametrize(
    "document",
    [None, [], "x", 4, {}, {"schema": "boxwright.plan/1"}, {"schema": "boxwright.machine/2"}],
)
def test_other_documents_are_refused(document: Any) -> None:
    with pytest.raises(MachineError, match=r"boxwright\.machine/1"):
        machine_from_json(document)


@pytest.mark.parametrize("value", [-1, "many", 1.5, None])
def test_a_count_is_a_whole_number_and_not_negative(value: Any) -> None:
    document = xeon()
    document["cpu"]["cores"] = value
    with pytest.raises(MachineError, match=r"cpu\.cores"):
        machine_from_json(document)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("xeon\x1b[2J", "xeon\ufffd[2J"),
        ("a\nb\rc\x07", "a\ufffdb\ufffdc\ufffd"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("\udcff", "\ufffd"),
        ("Kathedrale\u00a0Köln (R)™ 箱", "Kathedrale\u00a0Köln (R)™ 箱"),
    ],
)
def test_words_that_are_shown_cannot_steer_a_terminal(told: str, kept: str) -> None:
    document = xeon()
    document["hostname"] = document["cpu"]["model"] = document["os"]["init"] = told
    document["gpus"][0]["name"] = document["gpus"][0]["pci"] = told
    document["nvidia"]["installed"] = document["disks"][0]["mount"] = told
    machine = machine_from_json(document)
    assert [machine.hostname, machine.cpu.model, machine.os.init] == [kept] * 3
    assert [machine.gpus[0].name, machine.gpus[0].pci] == [kept] * 2
    assert [machine.nvidia.installed, machine.disks[0].mount] == [kept] * 2


def test_a_report_cannot_be_changed() -> None:
    machine = machine_from_json(xeon())
    with pytest.raises(dataclasses.FrozenInstanceError):
        machine.hostname = "other"  # type: ignore[misc]

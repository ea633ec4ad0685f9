"""`boxwright facts` as text: what a person reads of a machine, and of hosts that did not answer."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

from rich.console import Console

from boxwright.cli.facts import FactsOutcome
from boxwright.machine import Gpu, Llama, Machine, Nvidia
from tests.unit.plans import machine


def text_of(outcome: FactsOutcome) -> str:
    paper = StringIO()
    Console(width=132, file=paper).print(outcome.picture())
    return paper.getvalue()


def told(one: Machine) -> dict[str, list[str]]:
    """The lines of each part of the panel, by its label."""
    parts: dict[str, list[str]] = {}
    for line in text_of(FactsOutcome({"box": one}, {})).splitlines()[1:-1]:
        label, _, rest = line.strip("│ ").partition("  ")
        if line[2] == " ":
            label, rest = list(parts)[-1], line.strip("│ ")
        parts.setdefault(label, []).append(rest.strip())
    return parts


def card(**more: Any) -> Gpu:
    return Gpu(pci="0000:03:00.0", id="10de:1bb0", **more)


def test_the_xeon_box_before_any_driver() -> None:
    assert told(machine("xeon")) == {
        "system": ["ubuntu 24.04, kernel 6.8.0-60-generic, x86_64, glibc 2.39, Secure Boot off"],
        "processor": ["Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz, 2 sockets, 40 cores, 80 threads"],
        "node 0": ["CPUs 0-19,40-59, 64356 MiB"],
        "node 1": ["CPUs 20-39,60-79, 64356 MiB"],
        "memory": [
            "128712 MiB, 127736 MiB available, no swap",
            "8 x 16 GiB DDR4 at 2400 MT/s: 8 channels, 153.6 GB/s in theory",
        ],
        "cards": [
            "0000:03:00.0 10de:1bb0, driver nouveau, node 0, 8 GT/s x16",
            "0000:82:00.0 10de:1bb0, driver nouveau, node 1, 8 GT/s x16",
        ],
        "driver": ["none"],
        "llama.cpp": ["not installed, service absent"],
    }


def test_a_serving_box_in_a_container() -> None:
    one = replace(
        machine("xeon"),
        container="lxc",
        secure_boot=None,
        nvidia=Nvidia("580.95.05", "580.95.05", "proprietary", "580.95.05"),
        llama=Llama("b11669", "active", "qwen"),
        gpus=(
            card(name="Quadro P5000", vram_mib=16384, driver="nvidia", power="D0"),
            card(driver="vfio-pci", power="D3cold", link_width=4),
            card(mig=True, link_speed_gts=2.5),
        ),
    )
    parts = told(one)
    assert parts["system"][0].endswith("Secure Boot not known, inside a container (lxc)")
    assert parts["driver"] == [
        "loaded 580.95.05, on disk 580.95.05, userspace 580.95.05 (proprietary)"
    ]
    assert parts["llama.cpp"] == ["b11669, service active, serves qwen"]
    assert parts["cards"] == [
        "0000:03:00.0 10de:1bb0 Quadro P5000, 16384 MiB, driver nvidia",
        "0000:03:00.0 10de:1bb0, driver vfio-pci, unknown speed x4, power D3cold",
        "0000:03:00.0 10de:1bb0, no driver, 2.5 GT/s x?, MIG mode",
    ]


def test_what_is_not_known_is_said_to_be() -> None:
    cpu = {"model": "Old [bold] CPU", "performance_cores": 4}
    parts = told(machine("plain", memory={"dimms": []}, cpu=cpu))
    assert parts["memory"][1] == "modules not known"
    assert parts["cards"] == ["none"]
    assert parts["processor"] == ["Old [bold] CPU, 1 socket, 8 cores (4 fast), 16 threads"]
    slow = told(machine("plain", memory={"dimms": [{"size_mib": 512, "speed_mts": None}]}))
    assert slow["memory"][1] == "1 x 512 MiB at a speed not known"


def test_hosts_that_did_not_answer_are_named_and_are_a_failure() -> None:
    outcome = FactsOutcome({"box": machine("plain")}, {"dead": "could not be reached"})
    assert "dead: could not be reached" in text_of(outcome)
    assert outcome.exit_code == 1
    assert FactsOutcome({"box": machine("plain")}, {}).exit_code == 0

"""Graphics cards as the probe reads them: which functions count, links, drivers, nvidia-smi."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxwright.machine import machine_from_json
from tests.lab.hardware.tree import write_tree
from tests.unit.probing import probe, program, write_card


def cards(tree: Path) -> list[dict[str, Any]]:
    report = probe(tree)
    machine_from_json(report)
    found: list[dict[str, Any]] = report["gpus"]
    return found


def card(tree: Path) -> dict[str, Any]:
    (only,) = cards(tree)
    return only


def test_every_display_function_counts_and_nothing_else(tmp_path: Path) -> None:
    """Class 0x03 of any vendor; audio, USB and UCSI functions of a card are no cards."""
    for pci, vendor, device, kind in [
        ("0000:01:00.0", "0x10de", "0x2b85", "0x030000"),
        ("0000:01:00.1", "0x10de", "0x22e8", "0x040300"),
        ("0000:01:00.2", "0x10de", "0x1ad8", "0x0c0330"),
        ("0000:01:00.3", "0x10de", "0x1ad9", "0x0c8000"),
        ("0000:04:00.0", "0x10de", "0x1b38", "0x030200"),
        ("0000:05:00.0", "0x1002", "0x744c", "0x038000"),
        ("0000:06:00.0", "0x1a03", "0x2000", "0x030000"),
        ("0000:00:00.0", "0x8086", "0x6f00", "0x060000"),
    ]:
        write_card(tmp_path, pci, {"vendor": vendor, "device": device, "class": kind})
    assert [(c["pci"], c["id"], c["class"]) for c in cards(tmp_path)] == [
        ("0000:01:00.0", "10de:2b85", "0x030000"),
        ("0000:04:00.0", "10de:1b38", "0x030200"),
        ("0000:05:00.0", "1002:744c", "0x038000"),
        ("0000:06:00.0", "1a03:2000", "0x030000"),
    ]


def test_files_without_a_newline_absent_or_unreadable(tmp_path: Path) -> None:
    """Only vendor, device and class have to be there; a directory is what cannot be read."""
    folder = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    write_tree(folder, {"vendor": b"0x10DE", "device": b"0x1BB0", "class": b"0x030000"})
    (folder / "max_link_speed").mkdir()
    (folder / "numa_node").mkdir()
    assert card(tmp_path) == {
        "pci": "0000:01:00.0",
        "id": "10de:1bb0",
        "subsystem": None,
        "class": "0x030000",
        "driver": None,
        "numa_node": None,
        "link_speed_gts": None,
        "link_width": None,
        "name": None,
        "vram_mib": None,
        "compute_cap": None,
        "vram_used_mib": None,
        "vram_used_by_service_mib": None,
    }


@pytest.mark.parametrize(
    ("link", "uevent", "driver"),
    [
        ("../../../../bus/pci/drivers/nouveau", None, "nouveau"),
        ("../../../../bus/pci/drivers/vfio-pci", "DRIVER=vfio-pci\nPCI_ID=10DE:1BB0", "vfio-pci"),
        (None, "PCI_CLASS=30000\nDRIVER=nvidia\nPCI_ID=10DE:1BB0", "nvidia"),
        (None, "PCI_CLASS=30000\nPCI_ID=10DE:1BB0", None),
    ],
)
def test_the_driver_of_a_card(
    link: str | None, uevent: str | None, driver: str | None, tmp_path: Path
) -> None:
    """By its link, even one that leads nowhere, else by the event text of the kernel."""
    write_card(tmp_path, "0000:01:00.0", {"uevent": uevent} if uevent else {})
    if link:
        (tmp_path / "sys/bus/pci/devices/0000:01:00.0/driver").symlink_to(link)
    assert card(tmp_path)["driver"] == driver


@pytest.mark.parametrize("text", ["-1", "0", "3"])
def test_the_numa_node_of_a_card(text: str, tmp_path: Path) -> None:
    write_card(tmp_path, "0000:01:00.0", {"numa_node": text})
    assert card(tmp_path)["numa_node"] == (None if text == "-1" else int(text))


@pytest.mark.parametrize(
    ("speed", "now", "width", "most", "expected"),
    [
        ("16.0 GT/s PCIe", "2.5 GT/s PCIe", "16", "16", (16.0, 16)),  # idle
        ("8 GT/s", "8 GT/s", "4", "16", (8.0, 4)),  # x4 slot, old kernel's words
        ("Unknown", "Unknown", "0", "0", (None, None)),
        ("Unknown", "5.0 GT/s PCIe", "8", "8", (5.0, 8)),
        ("32.0 GT/s PCIe", "Unknown", "63", "16", (32.0, 16)),  # powered down
        ("2.5 GT/s PCIe", "2.5 GT/s PCIe", "1", "1", (2.5, 1)),  # mining card
    ],
)
def test_the_link_of_a_card(
    speed: str,
    now: str,
    width: str,
    most: str,
    expected: tuple[float | None, int | None],
    tmp_path: Path,
) -> None:
    files: dict[str, str | bytes] = {
        "max_link_speed": speed,
        "current_link_speed": now,
        "current_link_width": width,
        "max_link_width": most,
    }
    write_card(tmp_path, "0000:01:00.0", files)
    found = card(tmp_path)
    assert (found["link_speed_gts"], found["link_width"]) == expected


def test_a_slot_slower_than_the_card_sets_the_speed(tmp_path: Path) -> None:
    """The real tree: bus/pci/devices holds links, and a card lies below the port of its slot."""
    port = "sys/devices/pci0000:00/0000:00:01.0"
    write_tree(tmp_path / port, {"max_link_speed": "8.0 GT/s PCIe", "class": "0x060400"})
    write_card(tmp_path, "x", {"max_link_speed": "32.0 GT/s PCIe", "device": "0x2b85"})
    devices = tmp_path / "sys/bus/pci/devices"
    (devices / "x").rename(tmp_path / port / "0000:01:00.0")
    (devices / "0000:01:00.0").symlink_to(f"../../../../{port}/0000:01:00.0")
    assert card(tmp_path)["link_speed_gts"] == 8.0


SMI = """case "$*" in
*compute-apps*) {apps} ;;
*compute_cap*) {query} ;;
*) {old} ;;
esac"""


def smi(tree: Path, query: str, apps: str = ":", old: str = ":") -> None:
    program(tree, "nvidia-smi", SMI.format(query=query, apps=apps, old=old))


def test_a_driver_that_answers_gives_name_vram_and_capability(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    write_card(tmp_path, "0001:82:00.0", {})
    write_card(tmp_path, "10000:e1:00.0", {})
    write_card(tmp_path, "0000:05:00.0", {"vendor": "0x1002"})
    smi(
        tmp_path,
        "echo '00000000:03:00.0, 16384, 5, 6.1, Quadro P5000'\n"
        "echo '00000001:82:00.0, 11264, 700, 7.5, NVIDIA GeForce RTX 2080 Ti'\n"
        "echo '00010000:E1:00.0, 8192, 0, 6.1, Quadro P4000'",
    )
    found = {c["pci"]: (c["name"], c["vram_mib"], c["compute_cap"]) for c in cards(tmp_path)}
    assert found == {
        "0000:03:00.0": ("Quadro P5000", 16384, "6.1"),
        "0001:82:00.0": ("NVIDIA GeForce RTX 2080 Ti", 11264, "7.5"),
        "10000:e1:00.0": ("Quadro P4000", 8192, "6.1"),
        "0000:05:00.0": (None, None, None),
    }
    used = {c["pci"]: c["vram_used_mib"] for c in cards(tmp_path)}
    assert used["0001:82:00.0"] == 700 and used["0000:05:00.0"] is None


@pytest.mark.parametrize(
    "answer",
    [
        "exit 9",
        "echo 'No devices were found'; exit 6",
        "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
        "echo '00000000:03:00.0'",
        "echo 'Unable to determine the device handle for GPU0000:03:00.0: Unknown Error'; exit 255",
        "printf '\\377\\000\\001,,,\\n'",
        "echo '00000000:09:00.0, 1, 1, 6.1, Another card'",
    ],
)
def test_a_driver_that_does_not_answer_leaves_null(answer: str, tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    smi(tmp_path, answer)
    found = card(tmp_path)
    assert [found[k] for k in ("name", "vram_mib", "compute_cap")] == [None, None, None]


def test_what_nvidia_smi_does_not_know_is_null(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    smi(tmp_path, "echo '00000000:03:00.0, [N/A], [Not Supported], [N/A], [Unknown Error]'")
    found = card(tmp_path)
    values = [found[k] for k in ("name", "vram_mib", "compute_cap", "vram_used_mib")]
    assert values == [None, None, None, None]


def test_an_old_driver_without_compute_cap_still_gives_the_rest(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    smi(
        tmp_path,
        "echo 'Field \"compute_cap\" is not a valid field to query.'; exit 2",
        old="echo '00000000:03:00.0, 12288, 3, Tesla K80'",
    )
    found = card(tmp_path)
    assert (found["name"], found["vram_mib"], found["compute_cap"]) == ("Tesla K80", 12288, None)


def test_vram_held_by_our_own_service_is_told_apart(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    write_card(tmp_path, "0000:82:00.0", {})
    write_tree(
        tmp_path,
        {
            "etc/systemd/system/llama-server.service": "[Unit]",
            "proc/4711/cmdline": b"/opt/llama-server\0--model\0/srv/x/q/x.gguf\0--alias\0qwen\0",
        },
    )
    program(tmp_path, "systemctl", "echo MainPID=4711; echo ActiveState=active")
    smi(
        tmp_path,
        "echo '00000000:03:00.0, 16384, 9000, 6.1, P5000'\n"
        "echo '00000000:82:00.0, 16384, 8000, 6.1, P5000'",
        apps="echo '00000000:03:00.0, 4711, 6000'; echo '00000000:03:00.0, 12, 3000'\n"
        "echo '00000000:82:00.0, 12, [N/A]'",
    )
    report = probe(tmp_path)
    assert [c["vram_used_by_service_mib"] for c in report["gpus"]] == [6000, 0]
    assert report["llama"] == {"build": None, "service": "active", "model": "qwen"}

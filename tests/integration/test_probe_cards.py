"""Graphics cards as the probe reads them in /sys: which functions count, links, drivers, power."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.hardware.tree import write_tree
from tests.unit.probing import card, cards, write_card


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
        "power": None,
        "name": None,
        "vram_mib": None,
        "compute_cap": None,
        "mig": None,
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


@pytest.mark.parametrize(
    ("slot", "now", "width", "expected"),
    [
        ("8.0 GT/s PCIe", "2.5 GT/s PCIe", "16", (8.0, 16)),
        ("32.0 GT/s PCIe", "2.5 GT/s PCIe", "1", (32.0, 1)),  # a riser with one lane
        ("8.0 GT/s PCIe", "Unknown", "63", (8.0, 8)),  # asleep: what card and slot can do
        ("2.5 GT/s PCIe", "16.0 GT/s PCIe", "16", (32.0, 16)),  # a virtual machine's port
    ],
)
def test_a_link_is_what_card_and_slot_can_do(
    slot: str, now: str, width: str, expected: tuple[float, int], tmp_path: Path
) -> None:
    """The real tree: bus/pci/devices holds links, and a card lies below the port of its slot."""
    port = "sys/devices/pci0000:00/0000:00:01.0"
    write_tree(
        tmp_path / port, {"max_link_speed": slot, "max_link_width": "8", "class": "0x060400"}
    )
    link = {"current_link_speed": now, "current_link_width": width}
    write_card(tmp_path, "x", {"max_link_speed": "32.0 GT/s PCIe", "device": "0x2b85", **link})
    devices = tmp_path / "sys/bus/pci/devices"
    (devices / "x").rename(tmp_path / port / "0000:01:00.0")
    (devices / "0000:01:00.0").symlink_to(f"../../../../{port}/0000:01:00.0")
    found = card(tmp_path)
    assert (found["link_speed_gts"], found["link_width"]) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"power_state": "D0", "power/runtime_status": "active"}, "D0"),
        ({"power_state": "D3cold", "power/runtime_status": "suspended"}, "D3cold"),
        ({"power_state": "unknown"}, None),
        ({"power/runtime_status": "suspended"}, "suspended"),  # before Linux 5.11
        ({"power/runtime_status": "active"}, None),
        ({}, None),
    ],
)
def test_whether_a_card_has_power(
    files: dict[str, str | bytes], expected: str | None, tmp_path: Path
) -> None:
    write_card(tmp_path, "0000:01:00.0", files)
    assert card(tmp_path)["power"] == expected


def test_a_card_without_power_keeps_its_id_and_has_no_link(tmp_path: Path) -> None:
    """The kernel keeps the ids; registers in D3cold read as ones (63 lanes, 64 GT/s)."""
    files: dict[str, str | bytes] = {
        "power_state": "D3cold",
        "max_link_speed": "64.0 GT/s PCIe",
        "max_link_width": "63",
        "current_link_speed": "Unknown",
        "current_link_width": "63",
    }
    write_card(tmp_path, "0000:01:00.0", files)
    found = card(tmp_path)
    assert (found["id"], found["power"]) == ("10de:1bb0", "D3cold")
    assert (found["link_speed_gts"], found["link_width"]) == (None, None)

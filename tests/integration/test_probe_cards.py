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


def smi(tree: Path, *rows: dict[str, str], apps: str = "") -> None:
    """A stand-in that knows the fields of its rows, as the real one answers: each card a line."""
    table = "".join(
        f"    {number}:{field}) value='{value}' ;;\n"
        for number, row in enumerate(rows)
        for field, value in row.items()
    )
    program(
        tree,
        "nvidia-smi",
        f"""case $1 in
--query-compute-apps=*) printf '%s' '{apps}'; exit ;;
esac
for row in {" ".join(str(number) for number in range(len(rows)))}; do
  IFS=,
  line=
  for field in ${{1#--query-gpu=}}; do
    case $row:$field in
{table}    *) echo "Field \\"$field\\" is not a valid field to query."; exit 2 ;;
    esac
    line="$line, $value"
  done
  echo "${{line#, }}"
done""",
    )


P5000 = {
    "pci.bus_id": "00000000:03:00.0",
    "memory.total": "16384",
    "memory.used": "5",
    "compute_cap": "6.1",
    "mig.mode.current": "[N/A]",
    "name": "Quadro P5000",
}


def test_a_driver_that_answers_gives_name_vram_and_capability(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    write_card(tmp_path, "0001:82:00.0", {})
    write_card(tmp_path, "10000:e1:00.0", {})
    write_card(tmp_path, "0000:05:00.0", {"vendor": "0x1002"})
    rtx = {"name": "NVIDIA GeForce RTX 2080 Ti", "memory.total": "11264", "compute_cap": "7.5"}
    smi(
        tmp_path,
        P5000,
        P5000 | rtx | {"pci.bus_id": "00000001:82:00.0", "memory.used": "700"},
        P5000 | {"pci.bus_id": "00010000:E1:00.0", "name": "Quadro P4000", "memory.total": "8192"},
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
        "exit 1",
        "echo 'No devices were found'; exit 6",
        "echo 'No devices were found'",
        "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
        "echo '00000000:03:00.0'",
        "echo '00000000:03:00.0, 16384, 5'",
        "echo '00000000:03:00.0, , , , , '",
        "echo 'Unable to determine the device handle for GPU0000:03:00.0: Unknown Error'; exit 255",
        "printf '\\377\\000\\001,,,,,\\n'",
        "echo '00000000:09:00.0, 1, 1, 6.1, [N/A], Another card'",
        "echo '00000000:03:00.0, ERR!, -1, N/A, ERR!, [Unknown Error]'",
    ],
)
def test_a_driver_that_does_not_answer_leaves_null(answer: str, tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    program(tmp_path, "nvidia-smi", answer)
    found = card(tmp_path)
    told = ("name", "vram_mib", "compute_cap", "vram_used_mib", "vram_used_by_service_mib", "mig")
    assert [found[key] for key in told] == [None] * 6


def test_what_nvidia_smi_does_not_know_is_null(tmp_path: Path) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    unknown = {
        "memory.total": "[N/A]",
        "memory.used": "[Not Supported]",
        "compute_cap": "[N/A]",
        "name": "[Unknown Error]",
    }
    smi(tmp_path, P5000 | unknown)
    found = card(tmp_path)
    values = [found[k] for k in ("name", "vram_mib", "compute_cap", "vram_used_mib")]
    assert values == [None, None, None, None]


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ([], ("8.0", True)),
        (["mig.mode.current"], ("8.0", None)),
        (["compute_cap"], (None, True)),  # 450 to 470
        (["compute_cap", "mig.mode.current"], (None, None)),
    ],
)
def test_an_old_driver_that_knows_fewer_fields_still_gives_the_rest(
    unknown: list[str], expected: tuple[str | None, bool | None], tmp_path: Path
) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    row = P5000 | {"name": "A100", "compute_cap": "8.0", "mig.mode.current": "Enabled"}
    smi(tmp_path, {field: value for field, value in row.items() if field not in unknown})
    found = card(tmp_path)
    assert (found["name"], found["vram_mib"], found["vram_used_mib"]) == ("A100", 16384, 5)
    assert (found["compute_cap"], found["mig"]) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [("Enabled", True), ("Disabled", False), ("[N/A]", None), ("[Not Supported]", None)],
)
def test_whether_a_card_is_cut_into_instances(
    said: str, expected: bool | None, tmp_path: Path
) -> None:
    write_card(tmp_path, "0000:03:00.0", {})
    smi(tmp_path, P5000 | {"mig.mode.current": said})
    assert card(tmp_path)["mig"] is expected


def test_a_driver_that_fails_is_not_asked_again(tmp_path: Path) -> None:
    """Each try may take 20 seconds on a card that hangs."""
    write_card(tmp_path, "0000:03:00.0", {})
    program(tmp_path, "nvidia-smi", f"echo x >>{tmp_path}/calls; exit 15")
    assert card(tmp_path)["name"] is None
    assert (tmp_path / "calls").read_text() == "x\n"


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
        P5000 | {"memory.used": "9000"},
        P5000 | {"memory.used": "8000", "pci.bus_id": "00000000:82:00.0"},
        apps="00000000:03:00.0, 4711, 6000\n00000000:03:00.0, 12, 3000\n"
        "00000000:82:00.0, 12, [N/A]\n",
    )
    report = probe(tmp_path)
    assert [c["vram_used_by_service_mib"] for c in report["gpus"]] == [6000, 0]
    assert report["llama"] == {"build": None, "service": "active", "model": "qwen"}


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

"""A /sys/bus/pci as the kernel shows it for a board with the given cards."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from tests.lab.hardware.cards import NVIDIA, FittedCard
from tests.lab.hardware.tree import write_tree

INTEL = 0x8086
AMD = 0x1022
REALTEK = 0x10EC
GEN_SPEED = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5}
PCIE_CAPABILITY = 0x60

Files = dict[str, str | bytes]
Board = dict[str, tuple[str | None, Files]]


def _config(
    vendor: int, device: int, class_: int, subsystem: tuple[int, int], gts: float, width: int
) -> bytes:
    """Configuration space: the standard header and one PCI Express capability."""
    space = bytearray(256)
    struct.pack_into("<HHHH", space, 0x00, vendor, device, 0x0007, 0x0010)
    struct.pack_into("<I", space, 0x08, (class_ << 8) | 0xA1)
    space[0x0E] = 0x80
    struct.pack_into("<HH", space, 0x2C, *subsystem)
    space[0x34] = PCIE_CAPABILITY
    speed = GEN_SPEED[gts]
    struct.pack_into("<BBH", space, PCIE_CAPABILITY, 0x10, 0, 0x0012)
    struct.pack_into("<I", space, PCIE_CAPABILITY + 0x0C, (width << 4) | speed)
    struct.pack_into("<H", space, PCIE_CAPABILITY + 0x12, (width << 4) | speed)
    return bytes(space)


def _resource(bars: Iterable[tuple[int, int]]) -> str:
    """The `resource` attribute: 13 lines of start, end, flags; `bars` gives (index, size MiB)."""
    lines = ["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 13
    start = 0x38_0000_0000
    for index, size_mib in bars:
        size = size_mib << 20
        start = (start + size - 1) // size * size
        lines[index] = f"{start:#018x} {start + size - 1:#018x} 0x000000000014220c"
        start += size
    return "\n".join(lines)


def _function(
    vendor: int,
    device: int,
    class_: int,
    subsystem: tuple[int, int] = (0, 0),
    *,
    numa_node: int = -1,
    gts: float = 8.0,
    width: int = 16,
    bars: Iterable[tuple[int, int]] = (),
    local_cpus: str = "0-3",
) -> Files:
    modalias = (
        f"pci:v{vendor:08X}d{device:08X}sv{subsystem[0]:08X}sd{subsystem[1]:08X}"
        f"bc{class_ >> 16:02X}sc{class_ >> 8 & 0xFF:02X}i{class_ & 0xFF:02X}"
    )
    speed = f"{gts} GT/s PCIe"
    return {
        "vendor": f"{vendor:#06x}",
        "device": f"{device:#06x}",
        "class": f"{class_:#08x}",
        "subsystem_vendor": f"{subsystem[0]:#06x}",
        "subsystem_device": f"{subsystem[1]:#06x}",
        "revision": "0xa1",
        "irq": "16",
        "enable": "1",
        "numa_node": str(numa_node),
        "local_cpulist": local_cpus,
        "current_link_speed": speed,
        "max_link_speed": speed,
        "current_link_width": str(width),
        "max_link_width": str(width),
        "modalias": modalias,
        "uevent": f"PCI_CLASS={class_:X}\nPCI_ID={vendor:04X}:{device:04X}\nMODALIAS={modalias}",
        "resource": _resource(bars),
        "config": _config(vendor, device, class_, subsystem, gts, width),
    }


INTEL_BOARD: Board = {
    "0000:00:00.0": (None, _function(INTEL, 0x6F00, 0x060000)),
    "0000:00:19.0": ("e1000e", _function(INTEL, 0x15A0, 0x020000, (INTEL, 0x0000), width=1)),
    "0000:00:1f.0": ("lpc_ich", _function(INTEL, 0x8D44, 0x060100)),
}
AMD_BOARD: Board = {
    "0000:00:00.0": (None, _function(AMD, 0x14D8, 0x060000)),
    "0000:00:14.3": (None, _function(AMD, 0x790E, 0x060100)),
    "0000:07:00.0": ("r8169", _function(REALTEK, 0x8125, 0x020000, (REALTEK, 0x0123), width=1)),
}
"""What a board has beside its graphics cards, with the driver bound to each function."""


def _card(fitted: FittedCard, local_cpus: str) -> Board:
    card = fitted.card

    def function(device: int, class_: int, *bars: tuple[int, int]) -> Files:
        return _function(
            NVIDIA,
            device,
            class_,
            card.subsystem,
            numa_node=fitted.numa_node,
            gts=card.link_gts,
            bars=bars,
            local_cpus=local_cpus,
        )

    picture = function(card.device, 0x030000, (0, 16), (1, card.bar1_mib), (3, 32))
    sound = function(card.audio_device, 0x040300, (0, 1))
    picture["boot_vga"] = "0"
    return {
        fitted.pci: ("nouveau", picture),
        fitted.pci[:-1] + "1": ("snd_hda_intel", sound),
    }


def write_pci(
    root: Path, board: Board, cards: Iterable[FittedCard], cpus_of_node: dict[int, str]
) -> None:
    """Write `root` as /sys/bus/pci; every card starts bound to nouveau."""
    functions = dict(board)
    for fitted in cards:
        functions |= _card(fitted, cpus_of_node.get(fitted.numa_node, "0-3"))
    for pci, (driver, files) in functions.items():
        write_tree(root / "devices" / pci, files)
        if driver:
            write_tree(root / "devices" / pci, {"driver": f"-> ../../drivers/{driver}"})
            write_tree(root / "drivers" / driver, {pci: f"-> ../../devices/{pci}"})
    write_tree(root, {"drivers_autoprobe": "1"})
    (root / "slots").mkdir()

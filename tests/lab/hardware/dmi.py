"""The firmware's SMBIOS table, as far as it tells which memory modules are fitted."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from tests.lab.hardware.tree import write_tree

VERSION = (3, 1, 0)
DIMM_FORM_FACTOR = 9
EXTENDED_SIZE = 0x7FFF
"""In the 16-bit size field: the size is in the 32-bit field that follows further on."""
SLOT = "DIMM_{}"


@dataclass(frozen=True)
class Dimms:
    """Equal modules; `kind` is SMBIOS's memory type (0x1A DDR4, 0x22 DDR5)."""

    count: int
    size_mib: int
    speed_mts: int
    kind: int
    maker: str

    @property
    def total_mib(self) -> int:
        """What they hold together."""
        return self.count * self.size_mib


DDR4_8X16 = Dimms(count=8, size_mib=16 * 1024, speed_mts=2400, kind=0x1A, maker="Samsung")
DDR5_4X48 = Dimms(count=4, size_mib=48 * 1024, speed_mts=5600, kind=0x22, maker="Corsair")


def _structure(kind: int, handle: int, body: bytes, *strings: str) -> bytes:
    """One structure: header, formatted part, its strings and the double zero."""
    head = struct.pack("<BBH", kind, 4 + len(body), handle)
    texts = b"".join(text.encode() + b"\0" for text in strings) or b"\0"
    return head + body + texts + b"\0"


def _array(dimms: Dimms) -> bytes:
    """Type 16, the physical memory array: on the system board, for system memory, no ECC."""
    body = struct.pack("<BBBIHH", 3, 3, 3, dimms.total_mib * 1024, 0xFFFE, dimms.count)
    return _structure(16, 0x1000, body)


def _device(dimms: Dimms, slot: int) -> bytes:
    """Type 17, one memory device, up to the fields of SMBIOS 2.8."""
    small = min(dimms.size_mib, EXTENDED_SIZE)
    extended = dimms.size_mib if small == EXTENDED_SIZE else 0
    body = struct.pack("<HHHHHBBBB", 0x1000, 0xFFFE, 64, 64, small, DIMM_FORM_FACTOR, 0, 1, 2)
    body += struct.pack("<BHHBBBBB", dimms.kind, 0x80, dimms.speed_mts, 3, 0, 0, 0, 2)
    body += struct.pack("<IHHHH", extended, dimms.speed_mts, 1200, 1200, 1200)
    return _structure(17, 0x1100 + slot, body, SLOT.format(slot), f"NODE {slot % 2}", dimms.maker)


def write_dmi(root: Path, dimms: Dimms) -> None:
    """Write `root` as /sys/firmware/dmi; like the real files only root may read them."""
    table = _array(dimms) + b"".join(_device(dimms, slot) for slot in range(dimms.count))
    table += _structure(127, 0x7F00, b"")
    entry = bytearray(struct.pack("<5sBBBBBBBIQ", b"_SM3_", 0, 24, *VERSION, 1, 0, len(table), 0))
    entry[5] = -sum(entry) & 0xFF
    write_tree(root, {"tables/DMI": table, "tables/smbios_entry_point": bytes(entry)})
    for name in ("DMI", "smbios_entry_point"):
        (root / "tables" / name).chmod(0o400)

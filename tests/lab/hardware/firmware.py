"""/sys/firmware/efi of a machine that booted by EFI: whether Secure Boot is on."""

from __future__ import annotations

from pathlib import Path

from tests.lab.hardware.tree import write_tree

SECURE_BOOT = "efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
ATTRIBUTES = bytes((6, 0, 0, 0))
"""Boot-service and runtime access, little-endian; the variable's value follows as byte 5."""


def write_efi(root: Path, secure_boot: bool) -> None:
    """Write `root` as /sys/firmware/efi."""
    write_tree(root, {"fw_platform_size": "64", SECURE_BOOT: ATTRIBUTES + bytes((secure_boot,))})

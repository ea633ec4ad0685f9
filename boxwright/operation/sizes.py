"""Sizes of files: as a person reads them, and how long hashing takes."""

from __future__ import annotations

SLOWEST_DISK_MIB_S = 20
MIB = 1024 * 1024


def hashing_timeout_s(size_bytes: int) -> int:
    """How long reading a file of this size may take on the slowest disk that is of any use."""
    return 120 + size_bytes // (SLOWEST_DISK_MIB_S * MIB)


def size_text(size_bytes: int) -> str:
    """A size as a person reads it, in GiB or MiB."""
    if size_bytes >= 1024 * MIB:
        return f"{size_bytes / (1024 * MIB):.1f} GiB"
    return f"{size_bytes / MIB:.0f} MiB"

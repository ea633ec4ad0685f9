"""Kernel modules of NVIDIA's driver as files, and what a loaded one says of itself."""

from __future__ import annotations

KERNEL = "6.12.48+deb13-amd64"
MODULES = f"lib/modules/{KERNEL}"


def ko(version: str, license_text: str) -> bytes:
    """The .modinfo strings of a kernel module, between other bytes."""
    strings = [b"license=" + license_text.encode(), b"version=" + version.encode()]
    return b"\x7fELF\0\x01\0srcversion=1\0" + b"\0".join(strings) + b"\0vermagic=x\0\xff\xfe"


CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.261.03  Thu Jun  5 00:00:00 UTC 2025"

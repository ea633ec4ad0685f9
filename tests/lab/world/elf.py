"""Small true ELF files: stand-in shared libraries and kernel modules, and one patched number.

Made with binutils; they carry what tools read (soname, symbols, .modinfo) and nothing to run.
"""

from __future__ import annotations

import re
import struct
import subprocess
import tempfile
from pathlib import Path

VERMAGIC_SIZE = 96
"""Bytes kept for `vermagic=…`, so that `sed` can put in a kernel's name without a compiler."""
VERMAGIC_MARK = "@KERNEL@"

_PROGRAM_HEADER_LOAD = 1


def shared_library(path: Path, soname: str, functions_returning_0: tuple[str, ...] = ()) -> None:
    """Write a shared library with this soname whose functions return 0 (or a null pointer)."""
    lines = [
        f".globl {name}\n.type {name},@function\n{name}: xorl %eax,%eax\nret"
        for name in functions_returning_0
    ]
    _assemble(path, lines, ["-shared", "-soname", soname])


def kernel_module(path: Path, name: str, version: str, licence: str) -> None:
    """Write a relocatable kernel module whose .modinfo is what `modinfo` reads.

    Its vermagic holds VERMAGIC_MARK in a field of VERMAGIC_SIZE bytes, for the build on the host.
    """
    vermagic = f"vermagic={VERMAGIC_MARK} SMP preempt mod_unload modversions"
    entries = [
        f"version={version}",
        f"license={licence}",
        "alias=pci:v000010DEd*sv*sd*bc03sc00i00*",
        "alias=pci:v000010DEd*sv*sd*bc03sc02i00*",
        "depends=",
        f"name={name}",
        vermagic.ljust(VERMAGIC_SIZE),
    ]
    strings = "\n".join(f'.asciz "{entry}"' for entry in entries)
    _assemble(path, [f'.section .modinfo,"a",@progbits\n{strings}'], ["-r"])


def _assemble(path: Path, lines: list[str], link: list[str]) -> None:
    source = "\n".join([*lines, '.section .note.GNU-stack,"",@progbits', ""])
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "code.o"
        subprocess.run(["as", "-o", str(code), "-"], input=source, text=True, check=True)
        subprocess.run(["ld", "--build-id=none", *link, "-o", str(path), str(code)], check=True)
    path.chmod(0o644)


def set_integer(path: Path, symbol: str, value: int) -> bool:
    """Set a 32-bit variable of a library or program; False if the file does not define it."""
    table = subprocess.run(
        ["readelf", "--wide", "--dyn-syms", str(path)], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(rf"([0-9a-f]+)\s+4 OBJECT\s+GLOBAL\s+\S+\s+\d+ {symbol}\b", table)
    if found is None:
        return False
    content = bytearray(path.read_bytes())
    struct.pack_into("<i", content, _file_offset(content, int(found[1], 16)), value)
    path.write_bytes(content)
    return True


def _file_offset(content: bytearray, address: int) -> int:
    (table,) = struct.unpack_from("<Q", content, 32)
    (count,) = struct.unpack_from("<H", content, 56)
    for index in range(count):
        kind, _, offset, start, _, size = struct.unpack_from("<IIQQQQ", content, table + 56 * index)
        if kind == _PROGRAM_HEADER_LOAD and start <= address < start + size:
            return int(offset + address - start)
    raise ValueError(f"no bytes in the file for address {address:#x}")

"""What a llama-server binary says of itself: build, flags, devices (pure readers of its output)."""

from __future__ import annotations

import re

# "version: 0.7.0 (build 11669, commit …)" since August 2026, "version: 10068 (af3be13…)" before
# (reference/llama-cpp.md, 1.1)
BUILD = (re.compile(r"\(build (\d+)\b"), re.compile(r"^version: (\d+)\b", re.MULTILINE))
FLAG = re.compile(r"^(--?[A-Za-z][\w-]*)")
# "  CUDA0: NVIDIA GeForce RTX 5090 (32607 MiB, 32100 MiB free)" (reference/llama-cpp.md, 3.2)
DEVICE = re.compile(r"^\s+(\w+): .*\(\d+ MiB, \d+ MiB free\)\s*$", re.MULTILINE)


def build_of(version_text: str) -> str | None:
    """The build, as "b11669", that `llama-server --version` prints; None if it says none."""
    for pattern in BUILD:
        found = pattern.search(version_text)
        if found:
            return f"b{found.group(1)}"
    return None


def flags_of(help_text: str) -> frozenset[str]:
    """Every flag, long and short, that `llama-server --help` lists."""
    flags: set[str] = set()
    for line in help_text.splitlines():
        # "-h,    --help, --usage      print usage": names begin the line, joined by commas
        rest = line
        while found := FLAG.match(rest):
            flags.add(found.group(1))
            comma = re.match(r",\s*(?=-)", rest[found.end() :])
            if comma is None:
                break
            rest = rest[found.end() + comma.end() :]
    return frozenset(flags)


def devices_of(list_text: str) -> tuple[str, ...]:
    """The device names, such as CUDA0, that `llama-server --list-devices` prints."""
    return tuple(DEVICE.findall(list_text))


def flags_in(args: tuple[str, ...]) -> tuple[str, ...]:
    """The flags among a server's arguments, as `--help` spells them; a negative number is a value.

    In long ones `_` is read as `-` (llama.cpp, common/arg.cpp).
    """
    return tuple(
        arg.replace("_", "-") if arg[:2] == "--" else arg for arg in args if FLAG.match(arg)
    )

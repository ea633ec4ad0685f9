"""Versions and compute capabilities compared as numbers."""

from __future__ import annotations

import re

CAPABILITY = re.compile(r"^(?P<digits>\d+)(?P<suffix>[af]?)-(?P<kind>real|virtual)$")
INFINITE = 1_000_000


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, as (580, 126, 9) of `580.126.09-1`."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def at_least(version: str, floor: str) -> bool:
    """Whether a version is not older than the floor; parts that are missing count as 0."""
    have, need = numbers(version), numbers(floor)
    length = max(len(have), len(need))
    return have + (0,) * (length - len(have)) >= need + (0,) * (length - len(need))


def branch_of(driver: str | None) -> int | None:
    """The branch of a driver version: 580 of `580.126.09`."""
    parts = numbers(driver) if driver else ()
    return parts[0] if parts else None


def kernel_newer(kernel: str, last: str) -> bool:
    """Whether a kernel release, as `6.12.48+deb13-amd64`, is of a newer series than `6.12`."""
    return numbers(kernel)[:2] > numbers(last)[:2]


def kernel_suffix(kernel: str) -> str:
    """The kernel's flavour: `generic` of `6.8.0-60-generic`, `amd64` of `6.12.48+deb13-amd64`."""
    return re.sub(r"^[^-]*(?:-\d[^-]*)?-?", "", kernel, count=1)


def rpm_kernel(kernel: str) -> tuple[str, str]:
    """A kernel's release and the variant in its packages' names: `6.12.0-55.el10.x86_64` and `-rt`
    of `6.12.0-55.el10.x86_64+rt`; no variant for the usual kernel."""
    release, _, variant = kernel.partition("+")
    return release, f"-{variant}" if variant else ""


def digits_of(arch: str) -> int:
    """Ten times the capability of a CMake architecture: 61 of `61-virtual`, 120 of `120a-real`."""
    found = CAPABILITY.match(arch)
    return int(found["digits"]) if found else 0


def runs_sass(arch: str, capability: str) -> bool:
    """Whether SASS of this architecture runs on a card: same major, minor not newer.

    Architecture-specific code (`120a`) runs on exactly that capability (CUDA programming guide).
    """
    found = CAPABILITY.match(arch)
    if not found or found["kind"] != "real":
        return False
    built, card = int(found["digits"]), int(capability.replace(".", ""))
    if found["suffix"] == "a":
        return built == card
    return built // 10 == card // 10 and built <= card


def runs_ptx(arch: str, capability: str) -> bool:
    """Whether PTX of this architecture can be compiled for a card by a new enough driver."""
    found = CAPABILITY.match(arch)
    if not found or found["kind"] != "virtual" or found["suffix"]:
        return False
    return int(found["digits"]) <= int(capability.replace(".", ""))


def spelled(driver: str) -> str:
    """A driver version as sentences have it; of a branch's newest only the branch is known."""
    return driver.removesuffix(f".{INFINITE}")

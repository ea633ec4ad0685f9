"""What the matrix of drivers is made of: systems, cards, states, and the answers that are right.

The answers are written from reference/nvidia.md (1, 2, 3.7 and 8), not read from the catalog.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from boxwright import catalog
from boxwright.machine import Machine, machine_from_json
from boxwright.plan import Refusal, Wanted, driver
from boxwright.plan import cards as card_rules
from boxwright.plan.results import DriverPlan
from tests.unit.plans import (
    AMPERE,
    BLACKWELL,
    DEBIAN_12,
    DEBIAN_13,
    FEDORA,
    HOPPER,
    MAXWELL,
    PASCAL,
    ROCKY_9,
    ROCKY_10,
    RUBIN,
    TURING,
    UBUNTU,
    VOLTA,
    document,
    gpu,
    plan_on,
)

ADA, BLACKWELL_ULTRA, GB10, FUTURE = "10de:2684", "10de:3182", "10de:2e12", "10de:4f00"
SYSTEMS: dict[str, dict[str, Any]] = {
    "ubuntu 22.04": {**UBUNTU, "version_id": "22.04", "kernel": "5.15.0-160-generic"},
    "ubuntu 24.04": UBUNTU,
    "ubuntu 26.04": {**UBUNTU, "version_id": "26.04", "kernel": "7.0.0-22-generic"},
    "debian 12": DEBIAN_12,
    "debian 13": DEBIAN_13,
    "rocky 9.6": ROCKY_9,
    "almalinux 9.6": {**ROCKY_9, "id": "almalinux"},
    "rocky 10.2": ROCKY_10,
    "fedora 44": FEDORA,
}
CARDS: dict[str, tuple[str, ...]] = {
    "maxwell": (MAXWELL,),
    "pascal": (PASCAL, PASCAL),
    "volta": (VOLTA,),
    "turing": (TURING,),
    "ampere": (AMPERE,),
    "ada": (ADA,),
    "hopper": (HOPPER,),
    "blackwell": (BLACKWELL,),
    "blackwell ultra": (BLACKWELL_ULTRA,),
    "gb10": (GB10,),
    "rubin": (RUBIN,),
    "not made yet": (FUTURE,),
    "pascal and ampere": (PASCAL, AMPERE),
    "maxwell, volta and ada": (MAXWELL, VOLTA, ADA),
    "turing and blackwell": (TURING, BLACKWELL),
}
OLD, ANY, NEW, NEWEST, UNBORN = "old", "any", "new", "newest", "not made yet"
KINDS = {
    **dict.fromkeys(("maxwell", "pascal", "volta", "pascal and ampere"), OLD),
    "maxwell, volta and ada": OLD,
    **dict.fromkeys(("turing", "ampere", "ada", "hopper"), ANY),
    **dict.fromkeys(("blackwell", "blackwell ultra", "gb10", "turing and blackwell"), NEW),
    "not made yet": UNBORN,
    "rubin": NEWEST,
}
CLOSED, OPEN, NVIDIA = "proprietary", "open", "nvidia-repository"
ON_UBUNTU = {
    OLD: ("580", CLOSED, "ubuntu-archive"),
    ANY: ("580", OPEN, "ubuntu-archive"),
    NEW: ("580", OPEN, "ubuntu-archive"),
    NEWEST: None,
    UNBORN: ("595", OPEN, "ubuntu-archive"),
}
LATEST = {kind: ("620", OPEN, NVIDIA) for kind in (ANY, NEW, NEWEST, UNBORN)}
ON_EL9 = {
    OLD: ("580", CLOSED, NVIDIA),
    ANY: ("580", OPEN, NVIDIA),
    NEW: ("580", OPEN, NVIDIA),
    NEWEST: None,
    UNBORN: ("580", OPEN, NVIDIA),
}
RIGHT: dict[str, dict[str, tuple[str, str, str] | None]] = {
    "ubuntu 22.04": {**ON_UBUNTU, UNBORN: ("580", OPEN, "ubuntu-archive")},
    "ubuntu 24.04": ON_UBUNTU,
    "ubuntu 26.04": {**ON_UBUNTU, UNBORN: ("610", OPEN, "ubuntu-archive")},
    "debian 12": {**LATEST, OLD: ("580", CLOSED, NVIDIA)},
    "debian 13": {**LATEST, OLD: ("550", CLOSED, "debian-archive")},
    "rocky 9.6": ON_EL9,
    "almalinux 9.6": ON_EL9,
    "rocky 10.2": {**LATEST, OLD: ("580", CLOSED, NVIDIA)},
    "fedora 44": {**LATEST, OLD: ("580", CLOSED, "rpmfusion")},
}
# Names that follow whatever branch is newest, that are empty, or that break a workstation's CUDA.
FORBIDDEN = [
    re.compile(pattern)
    for pattern in (
        r"cuda-drivers.*", r"cuda-compat.*", r"cuda(-\d+)*", r"nvidia-open", r"nvidia-driver",
        r"nvidia-driver-(open|dkms|all)", r"akmod-nvidia(-open)?", r"xorg-x11-drv-nvidia(-cuda)?",
        r"nvidia-driver:(open|latest).*", r"nvidia-headless(-server)?(-open)?", r".*\*.*",
    )
]  # fmt: skip


@cache
def forbidden(name: str) -> list[str]:
    """The patterns of FORBIDDEN that a package's name is one of."""
    return [rule.pattern for rule in FORBIDDEN if rule.fullmatch(name)]


def accepts(device: int, branch: int, flavour: str) -> bool:
    """NVIDIA's rule for one card by its device id, in one line each (nvidia.md 1)."""
    if device < 0x1340:
        return False
    if device < 0x1E00:
        return flavour == CLOSED and branch <= 580
    if 0x3000 <= device <= 0x30FF:
        return flavour == OPEN and branch >= 615
    if device >= 0x2900:
        return flavour == OPEN and branch >= 570
    return flavour in (OPEN, CLOSED)


def whole(version: str, flavour: str, loaded: str | None) -> dict[str, Any]:
    """A driver of which the module on the disk and the libraries are there."""
    return {"installed": version, "userspace": version, "flavour": flavour, "loaded": loaded}


def states(branch: str, flavour: str) -> dict[str, dict[str, Any]]:
    """Driver states around one that is right for the cards."""
    right, other = f"{branch}.99.01", CLOSED if flavour == OPEN else OPEN
    return {
        "fresh": {},
        "right": whole(right, flavour, right),
        "right, not loaded": whole(right, flavour, None),
        "right, an older one loaded": whole(right, flavour, f"{branch}.10.02"),
        "wrong branch": whole("470.256.02", CLOSED, "470.256.02"),
        "wrong flavour": whole(right, other, right),
        "wrong, not loaded": whole("390.157", other, None),
        "module only": {"installed": right, "flavour": flavour},
        "libraries not known": {**whole(right, flavour, right), "userspace": None},
        "libraries of another version": {**whole(right, flavour, right), "userspace": "999.1"},
        "libraries only": {"userspace": right},
        "libraries only, of another branch": {"userspace": "999.1"},
        "loaded only": {"loaded": right, "flavour": flavour},
        "no flavour": {**whole(right, flavour, right), "flavour": None},
        "no version": whole("N/A", flavour, "N/A"),
    }


KEPT = ("right", "right, not loaded", "right, an older one loaded", "libraries not known")
REPLACED = (
    "wrong branch", "wrong flavour", "wrong, not loaded", "libraries of another version",
    "libraries only, of another branch", "no version",
)  # fmt: skip

BASE = document("xeon")
SECURE = (None, False, True)


def box(system: str, ids: tuple[str, ...], **more: Any) -> Machine:
    """A machine with these cards in slots 01, 02, …, other parts of its report replaced."""
    slots = [gpu(f"0000:{slot:02x}:00.0", id, driver=None) for slot, id in enumerate(ids, 1)]
    return machine_from_json(
        {**BASE, "os": {**BASE["os"], **SYSTEMS[system]}, "gpus": slots, **more}
    )


def decided(on: Machine, **wishes: Any) -> DriverPlan | Refusal:
    """The driver alone, without what a whole plan costs."""
    known, wanted = catalog.load(), Wanted(**wishes)
    distribution = known.distribution(on.os.id, on.os.version_id)
    chosen = card_rules.select(on, known, wanted)
    assert distribution is not None and not isinstance(chosen, Refusal)
    made = driver.decide(on, distribution, known, wanted, chosen.driven)
    assert made is not None
    return made


def driver_on(os: dict[str, Any], *ids: str, **more: Any) -> DriverPlan:
    """What is planned for a machine with this distribution and these cards."""
    made = plan_on(os, *ids, **more)
    assert made.driver is not None, made.refusal
    return made.driver

"""Hosts for the driver role's tests: the box with a Blackwell card, before and after a driver."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from boxwright.machine import Machine
from tests.unit.plans import gpu, machine, row
from tests.unit.role_host import RoleHost, box

ASSETS = (("12.8", "61-virtual"), ("13.4", "120a-real"))
CARD = "0000:01:00.0"
NEWEST = "620.36.01-1"
NVIDIA_620 = {"loaded": None, "installed": "620.36.01", "flavour": "open", "userspace": "620.36.01"}


def ryzen(**nvidia: Any) -> Machine:
    """The box with a Blackwell card; `nvidia` is the state of its driver."""
    return machine("ryzen", nvidia=nvidia) if nvidia else machine("ryzen")


def driven(found: Machine, loaded: str | None) -> Machine:
    """The same machine after a boot with this driver loaded."""
    cards = tuple(replace(card, driver="nvidia" if loaded else "nouveau") for card in found.gpus)
    return replace(found, nvidia=replace(found.nvidia, loaded=loaded), gpus=cards)


def on(os: dict[str, Any], id: str, nvidia: dict[str, Any] | None = None, **data: Any) -> RoleHost:
    """A host of this distribution with one card of this id that wants to serve a small model.

    It has llama.cpp assets of its own, so that no distribution's glibc stands in the way.
    """
    found = machine("ryzen", os=os, gpus=[gpu(CARD, id)], nvidia=nvidia or {})
    rows = [row("b11669", cuda, [arch], "2.31") for cuda, arch in ASSETS]
    return box(found, runtime_asset_rows=rows, gpu_vram_mib={CARD: 16384}, **data)

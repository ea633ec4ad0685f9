"""Cures that are planned before they are told, and the refusals that hide others until then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from boxwright.machine import Machine
from boxwright.plan.results import Refusal
from boxwright.plan.wanted import Wanted


@dataclass(frozen=True)
class Cure:
    """One cure in words, with the options and the facts of cards (by PCI address) it changes."""

    said: str
    wishes: Mapping[str, Any] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def machine(self, before: Machine) -> Machine:
        """The machine once this is done."""
        gpus = (replace(gpu, **self.cards.get(gpu.pci, {})) for gpu in before.gpus)
        return replace(before, gpus=tuple(gpus))

    def wanted(self, before: Wanted) -> Wanted:
        """The wishes once this is done."""
        return replace(before, **self.wishes)


@dataclass(frozen=True)
class Curable(Refusal):
    """A refusal beside which others are not seen; each of `cures` is planned by itself.

    `cure` may say more than they do, such as that a value may also be corrected.
    """

    cures: tuple[Cure, ...] = ()


def option(name: str) -> Cure:
    """The default of an option in place of what is given."""
    value = getattr(Wanted, name)
    return Cure(f"leave {name} unset" if value is None else f"set {name} to {value}", {name: value})


def corrected(name: str, reason: str) -> Curable:
    """A refusal for a value of one option that cannot be meant; planned anew with its default."""
    unset = ", or leave it unset" if getattr(Wanted, name) is None else ""
    return Curable(reason, f"correct {name}{unset}", (option(name),))

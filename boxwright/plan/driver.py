"""Which NVIDIA driver a machine gets: branch, module flavour, source, packages, reboot.

The PCI ids decide, before any driver exists (design, decision 1; reference/nvidia.md, 1 to 3).
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Machine
from boxwright.plan.cards import UsedCard
from boxwright.plan.driver_installed import kept, replacing
from boxwright.plan.driver_sources import Need, from_source
from boxwright.plan.results import DriverPlan, Refusal
from boxwright.plan.wanted import Wanted

FLAVOURS = ("open", "proprietary")


def decide(
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    cards: tuple[UsedCard, ...],
) -> DriverPlan | Refusal | None:
    """The driver for these cards; None without cards, a refusal where none can serve them."""
    if not cards:
        return None
    free = needs(cards)
    if isinstance(free, Refusal):
        return free
    need = _as_wanted(free, wanted, cards)
    if isinstance(need, Refusal):
        return need
    there = kept(machine, distribution, catalog, wanted, need, cards)
    if there is not None:
        return there
    made = from_source(machine, distribution, catalog, wanted, need, free, cards)
    return made if isinstance(made, Refusal) else replacing(machine, made)


def needs(cards: tuple[UsedCard, ...]) -> Need | Refusal:
    """What all cards accept together; a refusal for cards no driver serves, alone or together."""
    for card in cards:
        if card.kind.rule.refusal is not None:
            return Refusal(
                f"{card.label} {card.kind.rule.refusal}",
                f'take the card out, or list it: ignore_gpus = ("{card.gpu.pci}",)',
            )
    rules = [card.kind.rule for card in cards]
    flavours = tuple(f for f in FLAVOURS if all(f in rule.flavours for rule in rules))
    first = max(rule.first_branch for rule in rules)
    lasts = [rule.last_branch for rule in rules if rule.last_branch is not None]
    last = min(lasts, default=None)
    if not flavours or (last is not None and first > last):
        return _apart(cards)
    return Need(first, last, flavours, newest=any(rule.newest for rule in rules))


def _apart(cards: tuple[UsedCard, ...]) -> Refusal:
    old = [card for card in cards if "open" not in card.kind.rule.flavours]
    new = [card for card in cards if "proprietary" not in card.kind.rule.flavours]
    names = " and ".join(", ".join(card.label for card in group) for group in (old, new))
    without_old, without_new = (
        "".join(f'"{card.gpu.pci}", ' for card in group).rstrip() for group in (old, new)
    )
    return Refusal(
        f"no NVIDIA driver serves {names} on one kernel: the older needs the proprietary modules of"
        " branch 580 or before, the newer the open modules, and only one of them can be loaded",
        f"leave the older alone (ignore_gpus = ({without_old})) or the newer (ignore_gpus ="
        f" ({without_new})), or move one side to another machine and use it over RPC, or pass it"
        " through to a virtual machine with its own driver, or drive it with nouveau and Vulkan"
        " (experimental)",
    )


def _as_wanted(need: Need, wanted: Wanted, cards: tuple[UsedCard, ...]) -> Need | Refusal:
    """The need narrowed by `driver_branch` and `driver_flavour`; refused where they contradict."""
    flavour, branch = wanted.driver_flavour, wanted.driver_branch
    labels = ", ".join(card.label for card in cards)
    if flavour is not None:
        if flavour not in need.flavours:
            return Refusal(
                f"driver_flavour is {flavour!r}, {labels} needs {' or '.join(need.flavours)}",
                "leave driver_flavour unset",
            )
        need = replace(need, flavours=(flavour,))
    if branch is None:
        return need
    if not branch.isdigit() or not need.takes(int(branch), need.flavours[0]):
        upper = "on" if need.last is None else f"to {need.last}"
        return Refusal(
            f"driver_branch is {branch!r}, {labels} needs a branch from {need.first} {upper}",
            "leave driver_branch unset",
        )
    return replace(need, first=int(branch), last=int(branch))

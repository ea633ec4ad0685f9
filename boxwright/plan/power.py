"""What a machine draws from the wall under load, from the TDPs of its cards and processors."""

from __future__ import annotations

import re

from boxwright.catalog import SpeedConstants
from boxwright.machine import Machine
from boxwright.plan.cards import UsedCard


def power_w(machine: Machine, constants: SpeedConstants, cards: tuple[UsedCard, ...]) -> int | None:
    """Watts with every used card and all processors at their TDP; None where a TDP is not known."""
    family = next(one for one in constants.processors if re.search(one.pattern, machine.cpu.model))
    drawn = float(max(machine.cpu.sockets, 1) * family.tdp_w)
    for card in cards:
        if card.kind.card is None or card.kind.card.tdp_w is None:
            return None
        drawn += card.kind.card.tdp_w
    parts = constants.power
    drawn += parts.board_w + parts.module_w * len(machine.memory.dimms)
    return round(drawn / parts.supply_efficiency)

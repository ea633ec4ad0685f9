"""Whether `server_placement: auto` leaves cards alone, because the others or the host do better.

Of the others `fewer` knows. The host alone does better where no layer would lie on the cards
(`on_host` has the rule) and the processor reads prompts faster than weights are copied to them, or
where they are too small even for that. A driver and a reboot that make answers slower serve nobody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan import checks, fewer, speed
from boxwright.plan.bandwidth import unmeasured
from boxwright.plan.cards import Cards, UsedCard, left_alone
from boxwright.plan.on_host import is_free, preferable
from boxwright.plan.place import place
from boxwright.plan.placement import CLEARLY_FASTER, Placed
from boxwright.plan.results import Speed
from boxwright.plan.sizes import DEFAULT_UBATCH, LEAST_CONTEXT, leaves_ubatch, usual_ubatch
from boxwright.plan.speed_decode import host_speed
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

MIB = 1024**2
LEAST_MIB = 2048  # what a card is to hold beside weights before its size is a question at all,
LEAST_FOR = 1024  # with a physical batch of so many tokens or less; buffers grow with larger ones


def decide(
    machine: Machine, catalog: Catalog, wanted: Wanted, shape: ModelShape, chosen: Cards
) -> Cards:
    """The cards as they were chosen, or none of them and a sentence that says why."""
    if not is_free(wanted) or wanted.gpu_count is not None:
        return chosen
    if not chosen.used or checks.vram_known(chosen) or checks.sizes(wanted):
        return chosen
    steady = unmeasured(machine)
    sized = replace(
        wanted,
        server_context=wanted.server_context or LEAST_CONTEXT * wanted.server_parallel,
        server_ubatch=usual_ubatch(wanted),
    )
    sizes_given = wanted.server_context > 0 and not leaves_ubatch(wanted)
    chosen = fewer.decide(steady, catalog, sized, shape, chosen, sizes_given)
    if not _worth_asking(steady, catalog, sized, shape, chosen.used):
        return chosen
    # a context that is left to the plan may become as large as the model was trained with
    largest = max(shape.context_train * wanted.server_parallel, sized.server_context)
    reason = _reason(steady, catalog, sized, shape, chosen, wanted.server_context or largest)
    if reason is None:
        return chosen
    said = f"{left_alone(chosen.driven)}: {reason}."
    return Cards(warnings=(*chosen.warnings, said))


def _worth_asking(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    cards: tuple[UsedCard, ...],
) -> bool:
    """Whether a card is hardly faster than the host's memory, or all are small: few ever are."""
    experts = sum(layer.expert_bytes for layer in shape.layers)
    kept_mib = (shape.file_bytes - experts) / MIB
    least_mib = LEAST_MIB * max(wanted.server_ubatch / LEAST_FOR, 1)
    small = sum((card.vram_mib or 0) - least_mib for card in cards) < kept_mib
    if small or wanted.server_moe_cache_mib:
        return True
    host_gb_s = host_speed(machine, catalog.speed).gb_s
    return any(fewer.decode_gb_s(card, catalog) < 2 * host_gb_s for card in cards)


def _reason(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    chosen: Cards,
    context: int,
) -> str | None:
    """Why the host alone is to be preferred; None if it is not. `context` is what is to be fast."""
    placed = place(machine, catalog, wanted, shape, chosen)
    alone = place(machine, catalog, wanted, shape, Cards())
    if not (isinstance(placed, Placed) and isinstance(alone, Placed) and alone.fits):
        return None
    if not placed.fits:
        return _too_small(machine, catalog, wanted, shape, chosen)
    filled = replace(wanted, server_context=context)
    with_them = speed.predict(machine, catalog, filled, shape, placed.layout, chosen.used)
    without = speed.predict(machine, catalog, filled, shape, alone.layout, ())
    better = preferable if placed.layout.gpu_layers else _reads_faster
    if not better(with_them, without, filled):
        return None
    them, they = ("it", "it is") if len(chosen.used) == 1 else ("them", "they are")
    return f"this host decodes faster without {them}, which makes up for what {they} faster at"


def _too_small(
    machine: Machine, catalog: Catalog, wanted: Wanted, shape: ModelShape, chosen: Cards
) -> str:
    """What the cards have no room for: a wish that could be smaller, or any of the model."""
    they = "it is" if len(chosen.used) == 1 else "they are"
    smaller: dict[str, Any] = {"server_moe_cache_mib": None, "server_ubatch": DEFAULT_UBATCH}
    for option, value in smaller.items():
        given = getattr(wanted, option)
        if not given or given <= (value or 0):
            continue
        found = place(machine, catalog, replace(wanted, **{option: value}), shape, chosen)
        if isinstance(found, Placed) and found.fits:
            return f"{they} too small for this model with {option} = {given}, not with less"
    return f"{they} too small for any of this model"


def _reads_faster(before: Speed | None, after: Speed | None, wanted: Wanted) -> bool:
    if before is None or after is None:
        return False
    return after.prefill_tok_s[1] > CLEARLY_FASTER * before.prefill_tok_s[1]

"""What a plan says of a model that was chosen for it, and what the next better would need."""

from __future__ import annotations

from dataclasses import replace

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan.choose import AUTO, GIB_MIB, Candidate, candidates, suits
from boxwright.plan.wanted import Wanted

MORE_RAM_GIB = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def note_on(machine: Machine, catalog: Catalog, asked: Wanted, settled: Wanted) -> tuple[str, ...]:
    """What a plan says of a choice that was made for it; nothing where a model was named."""
    if asked.model != AUTO:
        return ()
    better = next_better(machine, catalog, asked, settled)
    among = f" in {asked.model_quant}" if asked.model_quant else ""
    return (
        f"{settled.model} {settled.model_quant} is the best of the catalog{among} that fits here"
        + (f"; the next better: {better}." if better else "."),
    )


def next_better(machine: Machine, catalog: Catalog, asked: Wanted, chosen: Wanted) -> str | None:
    """What more RAM would let run, as "+64 GB RAM → minimax-m2.7 UD-Q4_K_M".

    GB as modules are sold by it: of 2**30 bytes (JEDEC JESD100B), so that the number is one to buy.

    It is what the wishes that were `asked` would choose then, by the catalog's estimates: the least
    RAM that brings anything better than what is `chosen` now; and where that is a better quant of
    the same model, behind it the least that brings another model. None if the catalog has nothing
    better of the quant that was asked for, or none would be fast enough.
    """
    ranked = candidates(catalog, asked)
    place_of = {one.label: number for number, one in enumerate(ranked)}
    better = ranked[: place_of.get(f"{chosen.model} {chosen.model_quant}", 0)]
    steps: list[str] = []
    for more_gib in MORE_RAM_GIB if better else ():
        found = _best(_with_ram(machine, more_gib), catalog, asked, better)
        if found is None or (steps and found.name == chosen.model):
            continue
        steps.append(f"+{more_gib} GB RAM → {found.label}")
        if found.name != chosen.model:
            break
    return ", ".join(steps) or None


def _best(
    machine: Machine, catalog: Catalog, asked: Wanted, better: list[Candidate]
) -> Candidate | None:
    fitting = (one for one in better if suits(machine, catalog, one.wished(asked), one.shape))
    return next(fitting, None)


def _with_ram(machine: Machine, more_gib: int) -> Machine:
    total_mib = machine.memory.total_mib + more_gib * GIB_MIB
    return replace(machine, memory=replace(machine.memory, total_mib=total_mib))

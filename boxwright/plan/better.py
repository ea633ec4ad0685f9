"""What a plan says of a model that was chosen for it, and what the next better would need."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan.choose import AUTO, GIB_MIB, Candidate, candidates, suits
from boxwright.plan.wanted import Wanted

MORE_RAM_GB = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
TRIED = 8  # better candidates that are asked for what they need


def note_on(machine: Machine, catalog: Catalog, asked: Wanted, settled: Wanted) -> tuple[str, ...]:
    """What a plan says of a choice that was made for it; nothing where a model was named."""
    if asked.model != AUTO:
        return ()
    better = next_better(machine, catalog, settled)
    return (
        f"{settled.model} {settled.model_quant} is the best of the catalog that fits here"
        + (f"; the next better: {better}." if better else "."),
    )


def next_better(machine: Machine, catalog: Catalog, chosen: Wanted) -> str | None:
    """What more RAM would let run, as "+64 GB RAM → minimax-m2.7 UD-Q4_K_M".

    None if no better model is in the catalog, or none would be fast enough from RAM.
    """
    ranked = candidates(catalog, replace(chosen, model=AUTO, model_quant=None))
    place_of = {one.label: number for number, one in enumerate(ranked)}
    own = place_of.get(f"{chosen.model} {chosen.model_quant}", 0)
    others = [one for one in reversed(ranked[:own]) if one.name != chosen.model]
    for candidate in others[:TRIED]:

        def does(more_gb: int, one: Candidate = candidate) -> bool:
            more = _with_ram(machine, more_gb)
            return suits(more, catalog, one.wished(chosen), one.shape)

        if not does(MORE_RAM_GB[-1]):
            continue
        # more memory is never worse, so the least that does is found by halving
        least = bisect_left(MORE_RAM_GB, True, key=does)
        return f"+{MORE_RAM_GB[least]} GB RAM → {candidate.label}"
    return None


def _with_ram(machine: Machine, more_gb: int) -> Machine:
    total_mib = machine.memory.total_mib + more_gb * GIB_MIB
    return replace(machine, memory=replace(machine.memory, total_mib=total_mib))

"""What a plan says of a model that was chosen for it, and what the next better would need."""

from __future__ import annotations

from dataclasses import replace

from boxwright.catalog import Catalog
from boxwright.machine import Machine
from boxwright.plan.choose import AUTO, GIB_MIB, Candidate, candidates, suits
from boxwright.plan.wanted import Wanted

MORE_RAM_GB = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)


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

    It is what "auto" would choose then: the least RAM that brings another model, and its quant.
    None if no better model is in the catalog, or none would be fast enough.
    """
    ranked = candidates(catalog, replace(chosen, model=AUTO, model_quant=None))
    place_of = {one.label: number for number, one in enumerate(ranked)}
    better = ranked[: place_of.get(f"{chosen.model} {chosen.model_quant}", 0)]
    for more_gb in MORE_RAM_GB if better else ():
        more = _with_ram(machine, more_gb)
        found = _best(more, catalog, chosen, better)
        if found is not None and found.name != chosen.model:
            return f"+{more_gb} GB RAM → {found.label}"
    return None


def _best(
    machine: Machine, catalog: Catalog, chosen: Wanted, better: list[Candidate]
) -> Candidate | None:
    fitting = (one for one in better if suits(machine, catalog, one.wished(chosen), one.shape))
    return next(fitting, None)


def _with_ram(machine: Machine, more_gb: int) -> Machine:
    total_mib = machine.memory.total_mib + more_gb * GIB_MIB
    return replace(machine, memory=replace(machine.memory, total_mib=total_mib))

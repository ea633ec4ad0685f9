"""What one card is, what it needs and what it can run, told from its PCI id alone."""

from __future__ import annotations

from dataclasses import replace

from boxwright.catalog import VENDORS, Catalog, Distribution, GpuKind
from boxwright.machine import Cpu, Gpu, Machine, Memory, Os
from boxwright.plan import driver, runtime
from boxwright.plan.cards import select
from boxwright.plan.explained import Build, CardDriver, CudaRange, Explanation, Install
from boxwright.plan.results import DriverPlan, Refusal, RuntimePlan
from boxwright.plan.wanted import Wanted

FRESH = ("ubuntu", "24.04")  # the system that `install` and `build` are told for


def explain(catalog: Catalog, gpu: Gpu, host: str | None = None) -> Explanation:
    """The card of this PCI id: total over all ids (`vendor:device`, hexadecimal).

    `gpu` may come from a machine report; what its driver told of memory and capability then goes
    before what the catalog has. Raises ValueError for what is no id at all.
    """
    vendor = VENDORS.get(gpu.id.lower().split(":")[0])
    pci = gpu.pci or None
    if vendor != "NVIDIA":
        whose = f"an {vendor} card" if vendor else "of another vendor than NVIDIA"
        left = f"{gpu.id} is {whose}: it is left alone."
        return Explanation(gpu.id.lower(), warnings=(left,), host=host, pci=pci)
    kind = catalog.gpu(gpu.id)
    if not kind.display:
        return _no_card(catalog, kind, host, pci)
    if gpu.compute_cap not in catalog.capabilities:
        gpu = replace(gpu, compute_cap=None)
    install, build, obstacles = _on_fresh(catalog, gpu)
    card, capability = kind.card, gpu.compute_cap or kind.chip.compute_cap
    return Explanation(
        id=kind.id,
        name=kind.name,
        chip=kind.chip.chip,
        generation=kind.generation,
        compute_capability=capability,
        vram_mib=gpu.vram_mib or (card.vram_mib if card else None),
        bus=card.bus if card else None,
        bandwidth_gb_s=card.bandwidth_gb_s if card else None,
        tdp_w=card.tdp_w if card else None,
        driver=_driver(catalog, kind),
        install=install,
        cuda=_cuda(catalog, capability),
        build=build,
        refusal=_refusal(kind),
        notes=card.notes if card else (),
        warnings=(*_doubts(kind, capability), *obstacles),
        host=host,
        pci=pci,
    )


def _no_card(catalog: Catalog, kind: GpuKind, host: str | None, pci: str | None) -> Explanation:
    """A sound or USB function, a switch or a chipset: the driver is told by its number alone."""
    assert kind.listed is not None
    what = f"{kind.id} is no graphics card ({kind.listed.name})"
    cure = "name the id of the card's display function (class 0300 or 0302 in lspci -nn)"
    return Explanation(
        kind.id,
        name=kind.listed.name,
        driver=_driver(catalog, kind),
        refusal=Refusal(what, cure) if kind.rule.refusal else None,
        warnings=(f"{what}: Boxwright does not count it.",),
        host=host,
        pci=pci,
    )


def _driver(catalog: Catalog, kind: GpuKind) -> CardDriver:
    rule = kind.rule
    branch = catalog.newest_long_term(rule)
    last = None if rule.last_branch is None else str(rule.last_branch)
    if branch is None:
        return CardDriver(last_branch=last)
    return CardDriver(
        branch=str(branch.branch),
        flavour=rule.flavours[0] if len(rule.flavours) == 1 else "either",
        last_branch=last,
        end_of_life=branch.end_of_life,
        generations=catalog.generations_of(branch.branch),
    )


def _cuda(catalog: Catalog, capability: str | None) -> CudaRange:
    row = catalog.capabilities.get(capability or "")
    return CudaRange(row.first_toolkit, row.last_toolkit) if row else CudaRange()


def _refusal(kind: GpuKind) -> Refusal | None:
    if kind.rule.refusal is None:
        return None
    return Refusal(
        f"{kind.name} {kind.rule.refusal}",
        "use a Maxwell card (GeForce GTX 900, Quadro M, 2014) or newer; in a machine with others"
        " it can stay, listed in ignore_gpus",
    )


def _doubts(kind: GpuKind, capability: str | None) -> list[str]:
    found = []
    if kind.listed is None:
        chip = f"{kind.chip.chip} ({kind.generation})"
        side = "last" if kind.device > kind.chip.last else "next"
        where = chip if kind.known_chip else f"the {side} known chip, {chip}"
        found.append(
            f"{kind.id} is an id that is not known yet: by its number it is taken for {where};"
            " it may need a newer driver than is said here."
        )
    if kind.card is None:
        found.append("Its memory, bandwidth and power are not in the catalog.")
    if capability is None and not kind.rule.refusal:
        found.append("Its compute capability is not known, so no build can be chosen for it.")
    return found


def _on_fresh(catalog: Catalog, gpu: Gpu) -> tuple[Install, Build | None, list[str]]:
    """What the planner decides for that Ubuntu with this card alone, and why it does not, if so."""
    distribution = catalog.distribution(*FRESH)
    assert distribution is not None
    machine, wanted = _fresh(distribution, gpu), Wanted()
    cards = select(machine, catalog, wanted)
    assert not isinstance(cards, Refusal)
    made = driver.decide(machine, distribution, catalog, wanted, cards.driven)
    if not isinstance(made, DriverPlan):
        refused = catalog.gpu(gpu.id).rule.refusal  # the entry says that itself
        return Install(), None, [] if refused or made is None else [_not_there(made)]
    install = Install(made.branch, made.flavour, made.source)
    if any(card.capability is None for card in cards.used):
        return install, None, []
    found = runtime.decide(machine, distribution, catalog, wanted, cards.used, made)
    if not isinstance(found, RuntimePlan):
        return install, None, [_not_there(found)]
    build = Build(found.build, found.kind, found.cuda, found.architectures, found.why)
    return install, build, []


def _not_there(refusal: Refusal) -> str:
    return f"On a fresh {' '.join(FRESH)}: {refusal.reason}."


def _fresh(distribution: Distribution, gpu: Gpu) -> Machine:
    """A machine with its own kernel, no driver, and this one card (nothing else of it counts)."""
    return Machine(
        hostname="fresh",
        os=Os(
            id=distribution.id,
            version_id=distribution.version_id,
            kernel=f"{distribution.ga_kernel}.0-31-generic",
            arch="x86_64",
            glibc=distribution.glibc,
        ),
        cpu=Cpu("any", sockets=1, cores=8, threads=16),
        memory=Memory(total_mib=65536, available_mib=65536),
        gpus=(Gpu(gpu.pci or "this card", gpu.id, compute_cap=gpu.compute_cap),),
        secure_boot=False,
    )

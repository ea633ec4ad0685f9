"""Which llama.cpp build a machine gets: upstream's files where they run, else compiled from source.

Compiled is what no asset fits (glibc, or a driver too old for its PTX), and what a model has a fork
for (design, decision 3).
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Machine
from boxwright.plan import source_build
from boxwright.plan.cards import UsedCard
from boxwright.plan.release_assets import Fit, Target, fits_of
from boxwright.plan.results import DriverPlan, Refusal, RuntimePlan
from boxwright.plan.versions import INFINITE, spelled
from boxwright.plan.wanted import Wanted

COMPILE = ("auto", "always", "never")


def decide(
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    cards: tuple[UsedCard, ...],
    driver: DriverPlan | None,
) -> RuntimePlan | Refusal:
    """The build and how it comes to the host; a refusal that names every obstacle where none can.

    `wanted.model` is one of the catalog's.
    """
    build = wanted.runtime_build or catalog.llama.pinned_build
    wrong = _misspelt(wanted, build, catalog)
    if wrong is not None:
        return wrong
    glibc = machine.os.glibc or distribution.glibc
    target = Target(machine.os.arch, glibc, cards, _driver_version(machine, driver))
    fork = catalog.models[wanted.model].fork
    fits = fits_of(build, wanted.runtime_cuda, target, catalog)
    chosen = next((fit for fit in fits if fit.obstacle is None), None)
    if chosen is not None and fork is None and wanted.runtime_compile != "always":
        return _release(build, chosen, target)
    if wanted.runtime_compile == "never":
        return _no_release(build, wanted, fork, fits, target, driver)
    made = source_build.decide(machine, distribution, catalog, wanted, target, build, fork)
    if isinstance(made, RuntimePlan) or fork is not None or wanted.runtime_compile == "always":
        return made
    none = _no_release(build, wanted, fork, fits, target, driver)
    return replace(made, reason=f"{none.reason}, and {made.reason}")


def _misspelt(wanted: Wanted, build: str, catalog: Catalog) -> Refusal | None:
    if not (build[:1] == "b" and build[1:].isdigit()):
        return Refusal(
            f"runtime_build is {build!r}, needs a build of llama.cpp such as"
            f" {catalog.llama.pinned_build}",
            "correct runtime_build, or leave it unset",
        )
    if wanted.runtime_compile not in COMPILE:
        return Refusal(
            f"runtime_compile is {wanted.runtime_compile!r}, needs one of {', '.join(COMPILE)}",
            "correct runtime_compile, or leave it unset",
        )
    return None


def _driver_version(machine: Machine, driver: DriverPlan | None) -> str | None:
    """The driver that will run: the installed one if it is kept, else the newest of its branch."""
    if driver is None:
        return None
    present = machine.nvidia.installed or machine.nvidia.loaded
    if driver.source == "installed" and present:
        return present
    return f"{driver.branch}.{INFINITE}"


def _release(build: str, fit: Fit, target: Target) -> RuntimePlan:
    row = fit.row
    return RuntimePlan(
        kind="release",
        build=build,
        cuda=row.cuda,
        architectures=fit.architectures,
        release=f"{build}-{row.cuda or 'cpu'}-{row.arch}",
        assets=(row.asset, *((row.cudart,) if row.cudart else ())),
        why=_why(fit, target),
    )


def _no_release(
    build: str,
    wanted: Wanted,
    fork: str | None,
    fits: list[Fit],
    target: Target,
    driver: DriverPlan | None,
) -> Refusal:
    if fork is not None:
        return Refusal(
            f"model {wanted.model} needs the fork {fork}, which has to be compiled, and"
            " runtime_compile is 'never'",
            "leave runtime_compile unset, or choose another model",
        )
    obstacles = "; ".join(f"{fit.row.asset} {fit.obstacle}" for fit in fits)
    kind = (
        f"CUDA {wanted.runtime_cuda}" if wanted.runtime_cuda else "CUDA" if target.cards else "CPU"
    )
    reason = f"no {kind} asset of llama.cpp {build} runs here"
    cures = []
    if wanted.runtime_compile == "never":
        cures.append("leave runtime_compile unset, so that it is compiled here")
    if driver is not None and driver.source == "installed":
        cures.append("set driver_branch to a newer branch that serves the cards")
    if wanted.runtime_build or wanted.runtime_cuda:
        cures.append("leave runtime_build and runtime_cuda unset")
    cures.append("name assets of your own in runtime_asset_rows")
    return Refusal(f"{reason}: {obstacles or 'the catalog has no such asset'}", ", or ".join(cures))


def _why(fit: Fit, target: Target) -> str:
    if not target.cards:
        return "no NVIDIA card is used"
    capabilities = ", ".join(sorted({card.capability or "?" for card in target.cards}))
    kinds = " and ".join(
        f"{'PTX' if arch.endswith('virtual') else 'SASS'} {arch}" for arch in fit.architectures
    )
    return f"{kinds} for compute capability {capabilities}, driver {spelled(target.driver or '')}"

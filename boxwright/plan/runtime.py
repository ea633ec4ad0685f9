"""Which llama.cpp build a machine gets, and of which release assets.

What an asset needs is its row (glibc, CUDA, SASS and PTX); the rule is here: SASS runs by CUDA's
minor-version compatibility, PTX only on a driver not older than the toolkit, and never the other
way round (design, decisions 2 and 3; reference/llama-cpp.md 2.2, nvidia.md 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.catalog import AssetRow, Catalog, Distribution
from boxwright.machine import Machine
from boxwright.plan.cards import UsedCard
from boxwright.plan.results import DriverPlan, Refusal, RuntimePlan
from boxwright.plan.versions import (
    INFINITE,
    at_least,
    digits_of,
    numbers,
    runs_ptx,
    runs_sass,
)
from boxwright.plan.wanted import Wanted


@dataclass(frozen=True)
class Fit:
    """Whether an asset runs here: the architectures that do the work, or why not."""

    row: AssetRow
    architectures: tuple[str, ...] = ()
    obstacle: str | None = None


def decide(
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    cards: tuple[UsedCard, ...],
    driver: DriverPlan | None,
) -> RuntimePlan | Refusal:
    """The build and its assets; a refusal that names each asset's obstacle where none fits."""
    build = wanted.runtime_build or catalog.llama.pinned_build
    if not (build[:1] == "b" and build[1:].isdigit()):
        return Refusal(
            f"runtime_build is {build!r}, needs a build of llama.cpp such as"
            f" {catalog.llama.pinned_build}",
            "correct runtime_build, or leave it unset",
        )
    rows = [row for row in catalog.assets_of(build) if (row.cuda is not None) == bool(cards)]
    rows = [row for row in rows if wanted.runtime_cuda in (None, row.cuda)]
    version = _driver_version(machine, driver)
    fits = [_fit(row, machine, distribution, catalog, cards, version) for row in rows]
    fits.sort(key=lambda fit: numbers(fit.row.cuda or "0"), reverse=True)
    chosen = next((fit for fit in fits if fit.obstacle is None), None)
    if chosen is None:
        return _none_fits(build, wanted, fits, cards, driver)
    row = chosen.row
    label = row.cuda or "cpu"
    return RuntimePlan(
        kind="release",
        build=build,
        cuda=row.cuda,
        architectures=chosen.architectures,
        release=f"{build}-{label}-{row.arch}",
        assets=(row.asset, *((row.cudart,) if row.cudart else ())),
        why=_why(chosen, cards, version),
    )


def _driver_version(machine: Machine, driver: DriverPlan | None) -> str | None:
    """The driver that will run: the installed one if it is kept, else the newest of its branch."""
    if driver is None:
        return None
    present = machine.nvidia.installed or machine.nvidia.loaded
    if driver.source == "installed" and present:
        return present
    return f"{driver.branch}.{INFINITE}"


def _fit(
    row: AssetRow,
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    cards: tuple[UsedCard, ...],
    driver: str | None,
) -> Fit:
    glibc = machine.os.glibc or distribution.glibc
    if row.arch != machine.os.arch:
        return Fit(row, obstacle=f"is for {row.arch}, this machine is {machine.os.arch}")
    if not at_least(glibc, row.glibc):
        return Fit(row, obstacle=f"needs glibc {row.glibc}, has {glibc}")
    if row.cuda is None:
        return Fit(row)
    toolkit = catalog.toolkits.get(row.cuda)
    if toolkit is None:
        return Fit(row, obstacle=f"is of CUDA {row.cuda}, which the catalog does not know")
    if toolkit.broken:
        return Fit(row, obstacle=f"is of CUDA {row.cuda}: {toolkit.broken}")
    architectures: list[str] = []
    for card in cards:
        found = _architecture(row, card, catalog, driver)
        if found.obstacle is not None:
            return found
        architectures += found.architectures
    return Fit(row, tuple(sorted(set(architectures), key=digits_of)))


def _architecture(row: AssetRow, card: UsedCard, catalog: Catalog, driver: str | None) -> Fit:
    """The code that this card runs: SASS where there is some for it, else the newest PTX."""
    toolkit = catalog.toolkits[row.cuda or ""]
    assert card.capability is not None, "checks.capability_known comes first"
    has = driver or "0"
    sass = [arch for arch in row.archs if runs_sass(arch, card.capability)]
    if sass and at_least(has, toolkit.sass_driver):
        return Fit(row, (max(sass, key=digits_of),))
    ptx = [arch for arch in row.archs if runs_ptx(arch, card.capability)]
    if ptx and at_least(has, toolkit.ptx_driver):
        return Fit(row, (max(ptx, key=digits_of),))
    where = f"for {card.label}, compute capability {card.capability}"
    if not sass and not ptx:
        return Fit(row, obstacle=f"has no code {where}")
    floor = toolkit.sass_driver if sass else f"{toolkit.ptx_driver} (it is PTX)"
    return Fit(row, obstacle=f"{where} needs driver {floor}, has {_spelled(has)}")


def _spelled(driver: str) -> str:
    return driver.removesuffix(f".{INFINITE}")


def _none_fits(
    build: str,
    wanted: Wanted,
    fits: list[Fit],
    cards: tuple[UsedCard, ...],
    driver: DriverPlan | None,
) -> Refusal:
    obstacles = "; ".join(f"{fit.row.asset} {fit.obstacle}" for fit in fits)
    kind = f"CUDA {wanted.runtime_cuda}" if wanted.runtime_cuda else "CUDA" if cards else "CPU"
    reason = f"no {kind} asset of llama.cpp {build} runs here"
    cures = []
    if driver is not None and driver.source == "installed":
        cures.append("set driver_branch to a newer branch that serves the cards")
    if wanted.runtime_build or wanted.runtime_cuda:
        cures.append("leave runtime_build and runtime_cuda unset")
    cures.append(
        "use a distribution with a newer glibc or driver (README lists them), or name assets of"
        " your own in runtime_asset_rows: a build from source is not done yet"
    )
    return Refusal(f"{reason}: {obstacles or 'the catalog has no such asset'}", ", or ".join(cures))


def _why(fit: Fit, cards: tuple[UsedCard, ...], driver: str | None) -> str:
    if not cards:
        return "no NVIDIA card is used"
    capabilities = ", ".join(sorted({card.capability or "?" for card in cards}))
    kinds = " and ".join(
        f"{'PTX' if arch.endswith('virtual') else 'SASS'} {arch}" for arch in fit.architectures
    )
    return f"{kinds} for compute capability {capabilities}, driver {_spelled(driver or '')}"

"""Which assets of an upstream release run on a machine: glibc, SASS and PTX against the driver.

What an asset needs is its row (glibc, CUDA, SASS and PTX); the rule is here: SASS runs by CUDA's
minor-version compatibility, PTX only on a driver not older than the toolkit, and never the other
way round (design, decisions 2 and 3; reference/llama-cpp.md 2.2, nvidia.md 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.catalog import AssetRow, Catalog
from boxwright.plan.cards import UsedCard
from boxwright.plan.versions import at_least, digits_of, numbers, runs_ptx, runs_sass, spelled


@dataclass(frozen=True)
class Target:
    """What a build has to run on: architecture, glibc, cards, and the driver that will run them."""

    arch: str
    glibc: str
    cards: tuple[UsedCard, ...]
    driver: str | None


@dataclass(frozen=True)
class Fit:
    """Whether an asset runs here: the architectures that do the work, or why not."""

    row: AssetRow
    architectures: tuple[str, ...] = ()
    obstacle: str | None = None


def fits_of(build: str, cuda: str | None, target: Target, catalog: Catalog) -> list[Fit]:
    """Every asset of a build that is meant for such a machine, the newest CUDA first.

    `cuda` is the line that is wished, None: any.
    """
    rows = [row for row in catalog.assets_of(build) if (row.cuda is not None) == bool(target.cards)]
    fits = [_fit(row, target, catalog) for row in rows if cuda in (None, row.cuda)]
    return sorted(fits, key=lambda fit: numbers(fit.row.cuda or "0"), reverse=True)


def _fit(row: AssetRow, target: Target, catalog: Catalog) -> Fit:
    if row.arch != target.arch:
        return Fit(row, obstacle=f"is for {row.arch}, this machine is {target.arch}")
    if not at_least(target.glibc, row.glibc):
        return Fit(row, obstacle=f"needs glibc {row.glibc}, has {target.glibc}")
    if row.cuda is None:
        return Fit(row)
    toolkit = catalog.toolkits.get(row.cuda)
    if toolkit is None:
        return Fit(row, obstacle=f"is of CUDA {row.cuda}, which the catalog does not know")
    if toolkit.broken:
        return Fit(row, obstacle=f"is of CUDA {row.cuda}: {toolkit.broken}")
    architectures: list[str] = []
    for card in target.cards:
        found = _architecture(row, card, catalog, target.driver)
        if found.obstacle is not None:
            return found
        architectures += found.architectures
    return Fit(row, tuple(sorted(set(architectures), key=digits_of)))


def _architecture(row: AssetRow, card: UsedCard, catalog: Catalog, driver: str | None) -> Fit:
    """The code that this card runs: SASS where there is some for it, else the newest PTX."""
    toolkit = catalog.toolkits[row.cuda or ""]
    if card.capability is None:
        return Fit(row, obstacle=f"cannot be judged: {card.label} has no known capability")
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
    return Fit(row, obstacle=f"{where} needs driver {floor}, has {spelled(has)}")

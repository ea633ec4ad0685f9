"""Which CUDA toolkit, from where and with which host compiler, compiles for a machine's cards.

The ways are rows of catalog/cuda.yaml in order of preference; here is the rule: it compiles for
every card, the driver runs its SASS, and there is a compiler that it takes (nvidia.md, 1, 3.8, 8).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from boxwright.catalog import BuildHost, Catalog, Compiler, Toolkit, ToolkitOffer
from boxwright.plan.cards import UsedCard
from boxwright.plan.release_assets import Target
from boxwright.plan.results import Tarball, ToolkitPlan
from boxwright.plan.versions import at_least, branch_of, digits_of, spelled

# ggml rewrites plain 120 and 121 to these, for Blackwell's FP4 (ggml-cuda/CMakeLists.txt)
ARCHITECTURE_SPECIFIC = re.compile(r"12\.\d")


@dataclass(frozen=True)
class Choice:
    """A way to a toolkit that fits: `compiler` None is the system's own C++ compiler."""

    plan: ToolkitPlan
    architectures: tuple[str, ...]
    compiler: Compiler | None


def choose(
    host: BuildHost, target: Target, catalog: Catalog, cuda: str | None
) -> Choice | tuple[str, ...]:
    """The first way that fits, else each way's obstacle; `cuda` is the line that is wished."""
    obstacles = []
    for offer in host.toolkits:
        toolkit = catalog.toolkits[offer.version]
        wished = cuda in (None, offer.version)
        obstacle = _obstacle(toolkit, target, catalog) if wished else f"runtime_cuda is {cuda}"
        compiler = compiler_for(host, toolkit)
        if obstacle is None and isinstance(compiler, str):
            obstacle = compiler
        if obstacle is None and not isinstance(compiler, str):
            return Choice(
                plan=_plan(offer, toolkit, catalog, target.glibc),
                architectures=architectures_of(target.cards),
                compiler=compiler,
            )
        obstacles.append(f"CUDA {offer.version} ({offer.source}): {obstacle}")
    return tuple(obstacles)


def architectures_of(cards: tuple[UsedCard, ...]) -> tuple[str, ...]:
    """CMake's architectures with SASS for each card and no PTX: `61-real`, `120a-real`."""
    found = set()
    for card in cards:
        assert card.capability is not None
        suffix = "a" if ARCHITECTURE_SPECIFIC.fullmatch(card.capability) else ""
        found.add(f"{card.capability.replace('.', '')}{suffix}-real")
    return tuple(sorted(found, key=digits_of))


def _obstacle(toolkit: Toolkit, target: Target, catalog: Catalog) -> str | None:
    """Why what this toolkit compiles would not run here, or must not; None if it would."""
    if toolkit.broken:
        return toolkit.broken
    driver = target.driver or "0"
    for card in target.cards:
        if card.capability is None:
            return f"cannot be judged: {card.label} has no known compute capability"
        if not catalog.compiles(toolkit.version, card.capability):
            return f"does not compile for {card.label}, compute capability {card.capability}"
        if (branch_of(driver) or 0) < card.kind.rule.first_branch:
            return f"{card.label} needs driver {card.kind.rule.first_branch}, has {spelled(driver)}"
    if not at_least(driver, toolkit.sass_driver):
        return f"needs driver {toolkit.sass_driver}, has {spelled(driver)}"
    return None


def compiler_for(host: BuildHost, toolkit: Toolkit) -> Compiler | str | None:
    """The newest other compiler that a toolkit takes; None where it takes the system's own.

    Text says why there is none.
    """
    if host.gcc <= toolkit.gcc_last:
        return None
    taken = [one for one in host.compilers if one.gcc <= toolkit.gcc_last]
    if taken:
        return max(taken, key=lambda one: one.gcc)
    there = ", ".join(str(gcc) for gcc in (host.gcc, *(one.gcc for one in host.compilers)))
    return f"takes gcc up to {toolkit.gcc_last}, {host.id} {host.version_id} has {there}"


def _plan(offer: ToolkitOffer, toolkit: Toolkit, catalog: Catalog, glibc: str) -> ToolkitPlan:
    dashed = offer.version.replace(".", "-")
    floor = toolkit.system_headers_from
    packed = catalog.redistributables[offer.version].components if _is_packed(offer) else ()
    return ToolkitPlan(
        version=offer.version,
        source=offer.source,
        root=offer.root,
        room_mib=offer.room_mib,
        packages=tuple(name.format(dashed=dashed) for name in offer.packages),
        repository=offer.repository,
        components=offer.components,
        tarballs=tuple(Tarball(one.path, one.sha256) for one in packed),
        # the distribution's own lies in /usr/include, which is a system directory already
        system_headers=(
            offer.source != "distribution" and floor is not None and at_least(glibc, floor)
        ),
    )


def _is_packed(offer: ToolkitOffer) -> bool:
    return offer.source == "redistributable"

"""Where a driver comes from: the distribution's archive, NVIDIA's repository or RPM Fusion.

Rules and names are rows of catalog/drivers.yaml (reference/nvidia.md, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.catalog import Catalog, Distribution, DriverPackages, DriverSource
from boxwright.machine import Machine
from boxwright.plan.cards import UsedCard
from boxwright.plan.driver_packages import is_signed, packages_of, plan_from
from boxwright.plan.results import DriverPlan, Refusal
from boxwright.plan.versions import kernel_newer
from boxwright.plan.wanted import Wanted

KINDS = ("long-term", "production", "feature", "distribution")


@dataclass(frozen=True)
class Need:
    """What the cards of one machine accept together. `last` None: every branch from `first` on.

    `newest`: one of them is newer than all that is known, so the newest branch is the best guess.
    """

    first: int
    last: int | None
    flavours: tuple[str, ...]
    newest: bool = False

    def takes(self, branch: int | None, flavour: str | None) -> bool:
        """Whether a driver of this branch and flavour drives all of the cards."""
        if branch is None or flavour not in self.flavours or branch < self.first:
            return False
        return self.last is None or branch <= self.last

    def spelled(self) -> str:
        """The need in words: `580 or newer (open)`, `384 to 580 (proprietary)`."""
        upper = " or newer" if self.last is None else f" to {self.last}"
        span = str(self.first) if self.first == self.last else f"{self.first}{upper}"
        return f"{span} ({' or '.join(self.flavours)})"


def from_source(
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    need: Need,
    free: Need,
    cards: tuple[UsedCard, ...],
) -> DriverPlan | Refusal:
    """The driver to install; a refusal where the distribution offers none that serves the cards.

    `need` is that of the cards, `free`, narrowed by the user's wishes.
    """
    name = f"{machine.os.id} {machine.os.version_id}"
    sources = [s for s in distribution.sources if wanted.driver_source in (None, s.name)]
    if not sources:
        offered = ", ".join(source.name for source in distribution.sources)
        return Refusal(
            f"driver_source is {wanted.driver_source!r}, {name} has {offered}",
            "leave driver_source unset",
        )
    too_new: DriverSource | None = None
    for source in sources:
        found = _best(source, catalog, need)
        if found is None:
            continue
        branch, flavour, packages = found
        if source.kernel_last and kernel_newer(machine.os.kernel, source.kernel_last):
            too_new = source
            continue
        signed = is_signed(machine, distribution, packages)
        if machine.secure_boot and not signed and not wanted.driver_key_enrolled:
            return _unsigned(name, machine.os.kernel, source)
        return plan_from(machine, distribution, source, branch, flavour, packages)
    if too_new is not None:
        return Refusal(
            f"kernel {machine.os.kernel} is newer than {too_new.kernel_last}, the newest that the"
            f" driver of {too_new.name} is made for, and {name} has no other driver for"
            f" {_labels(cards)}",
            f"boot the kernel of {name} itself ({too_new.kernel_last})",
        )
    return _none(name, distribution, catalog, wanted, need, free, cards)


def _best(
    source: DriverSource, catalog: Catalog, need: Need
) -> tuple[int, str, DriverPackages] | None:
    """The newest long-term branch that serves the cards, else the newest of another kind."""
    for branch in sorted(source.branches, key=lambda one: _rank(one, catalog, need)):
        for flavour in need.flavours:
            packages = packages_of(source, branch, flavour)
            if packages and need.takes(branch, flavour):
                return branch, flavour, packages
    return None


def _rank(branch: int, catalog: Catalog, need: Need) -> tuple[int, int]:
    """Less is better. For a card that does not exist yet an older long-term branch is no better
    than others: only the newest of all is."""
    if need.newest:
        lasting = (one.branch for one in catalog.branches.values() if one.kind == KINDS[0])
        return 0 if branch == max(lasting) else 1, -branch
    return KINDS.index(catalog.branches[branch].kind), -branch


def _none(
    name: str,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    need: Need,
    free: Need,
    cards: tuple[UsedCard, ...],
) -> Refusal:
    """The refusal where no source has a driver, with what each has, and who has one."""
    has = "; ".join(
        f"{source.name} has {', '.join(str(branch) for branch in source.branches)}"
        f" ({' or '.join(sorted(source.packages))})"
        for source in distribution.sources
    )
    wishes = ("driver_source", "driver_branch", "driver_flavour")
    wished = [wish for wish in wishes if getattr(wanted, wish) is not None]
    cures = []
    if wished and any(_best(source, catalog, free) for source in distribution.sources):
        cures.append(f"leave {' and '.join(wished)} unset")
    others = sorted(
        f"{one.id} {one.version_id}"
        for one in catalog.distributions
        if one is not distribution and any(_best(s, catalog, need) for s in one.sources)
    )
    if others:
        cures.append(f"install a distribution that has one ({', '.join(others)})")
    cures.append("install a driver by hand: one that serves the cards is kept")
    return Refusal(
        f"{name} has no driver of branch {need.spelled()}, which {_labels(cards)} needs: {has}",
        ", or ".join(cures),
    )


def _unsigned(name: str, kernel: str, source: DriverSource) -> Refusal:
    """The refusal where modules are built on the machine and Secure Boot would reject them."""
    key = source.key
    return Refusal(
        f"Secure Boot is on, and for kernel {kernel} {name} has no driver that is signed already:"
        f" the modules of {source.name} are built on the machine, whose own key has to be enrolled"
        " at its console first",
        f"install {source.build} and make the key ({key.create}), queue it (mokutil --import"
        f" {key.path}), confirm it at the machine's own screen at the next boot (Enroll MOK; not"
        " over SSH), then set driver_key_enrolled to True and run again, or switch Secure Boot off"
        " in the firmware's setup",
    )


def _labels(cards: tuple[UsedCard, ...]) -> str:
    return ", ".join(card.label for card in cards)

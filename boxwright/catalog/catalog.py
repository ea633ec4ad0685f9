"""The catalog as one frozen value, with the questions that planning asks of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from boxwright.catalog.kind import NVIDIA, GpuKind
from boxwright.catalog.software import AssetRow, FlagChange, LlamaCpp, ModelRow
from boxwright.catalog.speed import SpeedConstants
from boxwright.catalog.toolkits import BuildHost, Redistributable, Toolkit
from boxwright.catalog.types import (
    Branch,
    Card,
    CardRule,
    ChipRange,
    ComputeCapability,
    Distribution,
    ListedId,
)


@dataclass(frozen=True)
class Catalog:
    """Everything known of cards, drivers, CUDA, llama.cpp and models.

    `ranges` and `rules` are sorted by device id; `cards` and `listed` are keyed by it,
    `capabilities` by their name ("6.1"), `toolkits` and `redistributables` by theirs ("12.8").
    `user_assets` go before `llama.assets`.
    """

    ranges: tuple[ChipRange, ...]
    capabilities: Mapping[str, ComputeCapability]
    cards: Mapping[int, Card]
    listed: Mapping[int, ListedId]
    rules: tuple[CardRule, ...]
    branches: Mapping[int, Branch]
    distributions: tuple[Distribution, ...]
    toolkits: Mapping[str, Toolkit]
    redistributables: Mapping[str, Redistributable]
    build_hosts: tuple[BuildHost, ...]
    sha1_repositories: tuple[str, ...]
    llama: LlamaCpp
    models: Mapping[str, ModelRow]
    speed: SpeedConstants
    user_assets: tuple[AssetRow, ...] = ()

    def gpu(self, pci_id: str) -> GpuKind:
        """The card with this PCI id (`vendor:device`, hexadecimal); every NVIDIA id has an answer.

        Raises ValueError for an id of another vendor, or none at all.
        """
        vendor, _, device_text = pci_id.lower().partition(":")
        if vendor != NVIDIA:
            raise ValueError(f"{pci_id} is no id of an NVIDIA card")
        device = int(device_text, 16)
        if not 0 <= device <= 0xFFFF:
            raise ValueError(f"{pci_id} is no PCI id: a device has four hexadecimal digits")
        rule = self.rules[bisect_left(self.rules, device, key=lambda one: one.last)]
        place = bisect_left(self.ranges, device, key=lambda one: one.last)
        chip = self.ranges[min(place, len(self.ranges) - 1)]
        return GpuKind(
            id=f"{vendor}:{device:04x}",
            device=device,
            card=self.cards.get(device),
            listed=self.listed.get(device),
            chip=chip,
            known_chip=chip.first <= device <= chip.last,
            rule=rule,
        )

    def branches_for(self, rule: CardRule) -> tuple[Branch, ...]:
        """The branches that serve a card, oldest first, by number and by flavour."""
        served = (branch for branch in self.branches.values() if serves(branch, rule))
        return tuple(sorted(served, key=lambda branch: branch.branch))

    def newest_long_term(self, rule: CardRule) -> Branch | None:
        """The newest long-term branch that serves a card; None where none does."""
        lasting = [one for one in self.branches_for(rule) if one.kind == "long-term"]
        return lasting[-1] if lasting else None

    def generations_of(self, branch: int) -> tuple[str, ...]:
        """The generations of which a branch serves at least one chip, in the order of their ids."""
        found = dict[str, None]()
        for chip in self.ranges:
            rule = self.gpu(f"{NVIDIA}:{chip.first:04x}").rule
            if serves(self.branches[branch], rule):
                found[chip.generation] = None
        return tuple(found)

    def distribution(self, os_id: str, version_id: str) -> Distribution | None:
        """The release of a distribution, or None where it is not supported; 9.6 is a 9."""
        return next(
            (
                one
                for one in self.distributions
                if os_id in (one.id, *one.aliases)
                and (version_id == one.version_id or version_id.startswith(f"{one.version_id}."))
            ),
            None,
        )

    def build_host(self, distribution: Distribution) -> BuildHost | None:
        """How llama.cpp is compiled on this distribution, or None where that is not known."""
        named = distribution.id, distribution.version_id
        return next((one for one in self.build_hosts if (one.id, one.version_id) == named), None)

    def compiles(self, toolkit: str, capability: str) -> bool:
        """Whether a toolkit ("12.8") compiles for a compute capability; False for unknown ones."""
        row = self.capabilities.get(capability)
        if row is None:
            return False
        version, last = _numbers(toolkit), row.last_toolkit
        return _numbers(row.first_toolkit) <= version and (
            last is None or version <= _numbers(last)
        )

    def assets_of(self, build: str) -> tuple[AssetRow, ...]:
        """Rows that hold for a build, with its name filled in; a user's row wins over a packaged
        one of the same asset."""
        number, found = int(build[1:]), dict[str, AssetRow]()
        for row in (*self.user_assets, *self.llama.assets):
            if row.build not in (None, build) or number < row.first_build:
                continue
            name = row.asset.replace("{build}", build)
            cudart = row.cudart.replace("{build}", build) if row.cudart else None
            found.setdefault(
                name,
                AssetRow(
                    asset=name,
                    cudart=cudart,
                    cuda=row.cuda,
                    glibc=row.glibc,
                    arch=row.arch,
                    archs=row.archs,
                    build=build,
                    source=row.source,
                ),
            )
        return tuple(found.values())

    def flag_change(self, flag: str) -> FlagChange | None:
        """When a flag came and went, if it is not there in every build."""
        return next((one for one in self.llama.flags if one.flag == flag), None)

    def has_flag(self, build: str, flag: str) -> bool:
        """Whether a build takes a flag, as far as the catalog knows: True where it says nothing."""
        change, number = self.flag_change(flag), int(build[1:])
        return change is None or (
            change.first_build <= number
            and (change.last_build is None or number <= change.last_build)
        )


def serves(branch: Branch, rule: CardRule) -> bool:
    """Whether a branch drives a card: its number within the card's, and a flavour of both."""
    if branch.branch < rule.first_branch or not set(branch.flavours) & set(rule.flavours):
        return False
    return rule.last_branch is None or branch.branch <= rule.last_branch


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

"""What single rows of the catalog cannot show: overlaps, gaps, doubles, rows that name nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from boxwright.catalog.catalog import Catalog
from boxwright.catalog.errors import CatalogError
from boxwright.catalog.kind import NVIDIA, marketing_name
from boxwright.catalog.toolkits import BuildHost
from boxwright.catalog.types import Card, CardRule

K = TypeVar("K")
T = TypeVar("T")


def each_once(rows: Sequence[T], key: Callable[[T], K], where: str) -> dict[K, T]:
    """The rows by their key; raises CatalogError where two have the same."""
    found: dict[K, T] = {}
    for row in rows:
        if key(row) in found:
            name = f"{key(row):04x}" if isinstance(row, Card) else key(row)
            raise CatalogError(f"{where}: {name} is there twice")
        found[key(row)] = row
    return found


def check(catalog: Catalog) -> None:
    """Raises CatalogError for the first thing that does not fit together."""
    _ranges(catalog)
    _rules(catalog.rules)
    for card in catalog.cards.values():
        _card(catalog, card)
    for one in catalog.distributions:
        for source in one.sources:
            unknown = set(source.branches) - set(catalog.branches)
            if unknown:
                raise CatalogError(f"drivers.yaml: {source.name} names branches {sorted(unknown)}")
    for host in catalog.build_hosts:
        _build_host(catalog, host)
    for row in catalog.llama.assets:
        if row.cuda is not None and row.cuda not in catalog.toolkits:
            raise CatalogError(f"llama_cpp.yaml: {row.asset} names CUDA {row.cuda}")


def _ranges(catalog: Catalog) -> None:
    for one in catalog.ranges:
        if one.last < one.first:
            raise CatalogError(f"gpus.yaml: {one.chip} ends at {one.last:04x}, before it begins")
        if one.compute_cap is not None and one.compute_cap not in catalog.capabilities:
            raise CatalogError(f"gpus.yaml: {one.chip} has capability {one.compute_cap}, no row")
    for before, after in zip(catalog.ranges, catalog.ranges[1:], strict=False):
        if after.first <= before.last:
            raise CatalogError(f"gpus.yaml: {before.chip} and {after.chip} overlap")


def _rules(rules: Sequence[CardRule]) -> None:
    expected = 0
    for rule in rules:
        if rule.first != expected or rule.last < rule.first:
            raise CatalogError(f"drivers.yaml: card_rules have a gap or overlap at {expected:04x}")
        if bool(rule.flavours) == (rule.refusal is not None):
            raise CatalogError(
                f"drivers.yaml: the card rule from {rule.first:04x} on needs flavours or a refusal"
            )
        expected = rule.last + 1
    if expected != 0x10000:
        raise CatalogError(f"drivers.yaml: card_rules end at {expected:04x}, need ffff")


def _card(catalog: Catalog, card: Card) -> None:
    """A card has the name that pci.ids gives its number, and a number of a known chip."""
    kind = catalog.gpu(f"{NVIDIA}:{card.id:04x}")
    theirs = marketing_name(kind.listed.name) if kind.listed and kind.display else None
    if theirs is None or theirs.casefold() != card.name.casefold():
        raise CatalogError(f"cards.yaml: {card.id:04x} is {card.name!r}, in pci.ids {theirs!r}")
    if not kind.known_chip:
        raise CatalogError(f"cards.yaml: {card.id:04x} is in no range of gpus.yaml")


def _build_host(catalog: Catalog, host: BuildHost) -> None:
    """A build host is a distribution's, and what it offers can be had there."""
    where = f"cuda.yaml: {host.id} {host.version_id}"
    if catalog.distribution(host.id, host.version_id) is None:
        raise CatalogError(f"{where} is no distribution of drivers.yaml")
    for offer in host.toolkits:
        if offer.version not in catalog.toolkits:
            raise CatalogError(f"{where} offers CUDA {offer.version}, which has no row")
        if (offer.source == "nvidia-repository") != (offer.repository is not None):
            raise CatalogError(f"{where}: CUDA {offer.version} and its repository do not fit")
        if host.rejects_sha1 and offer.repository in catalog.sha1_repositories:
            raise CatalogError(f"{where} rejects the SHA-1 key of repository {offer.repository}")
        if offer.source == "redistributable" and offer.version not in catalog.redistributables:
            raise CatalogError(f"{where} offers tarballs of CUDA {offer.version}, there are none")

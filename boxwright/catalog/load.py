"""Reads the packaged YAML, and a user's rows over it, into one validated Catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from boxwright.catalog import software, types
from boxwright.catalog.catalog import Catalog
from boxwright.catalog.errors import CatalogError
from boxwright.catalog.rows import asset_row, model_row

T = TypeVar("T")


@cache
def load() -> Catalog:
    """The packaged catalog; raises CatalogError if it is damaged."""
    gpus, drivers = _read("gpus.yaml"), _read("drivers.yaml")
    llama, models = _read("llama_cpp.yaml"), _read("models.yaml")
    ranges = _many(types.ChipRange, gpus["ranges"], "gpus.yaml")
    rules = _many(types.CardRule, drivers["card_rules"], "drivers.yaml")
    cards = _many(types.Card, gpus["cards"], "gpus.yaml")
    branches = _many(types.Branch, drivers["branches"], "drivers.yaml")
    toolkits = _many(types.Toolkit, _read("cuda.yaml")["toolkits"], "cuda.yaml")
    catalog = Catalog(
        ranges=tuple(sorted(ranges, key=lambda one: one.first)),
        cards={card.id: card for card in cards},
        rules=tuple(sorted(rules, key=lambda one: one.first)),
        branches={one.branch: one for one in branches},
        distributions=_many(types.Distribution, drivers["distributions"], "drivers.yaml"),
        toolkits={one.version: one for one in toolkits},
        llama=_one(software.LlamaCpp, llama, "llama_cpp.yaml"),
        models={name: model_row(name, row) for name, row in models["models"].items()},
        speed=_one(types.SpeedConstants, _read("speed.yaml"), "speed.yaml"),
    )
    _check(catalog)
    return catalog


def load_with(models: Mapping[str, Any], asset_rows: Sequence[Mapping[str, Any]]) -> Catalog:
    """The packaged catalog with a user's rows: models by name, and release assets.

    A model of a name that is packaged replaces it whole. Raises CatalogError for a row that cannot
    be meant, naming it.
    """
    catalog = load()
    if not models and not asset_rows:
        return catalog
    return replace(
        catalog,
        models={**catalog.models, **{name: model_row(name, row) for name, row in models.items()}},
        user_assets=tuple(asset_row(row) for row in asset_rows),
    )


def _read(name: str) -> dict[str, Any]:
    text = (resources.files("boxwright.catalog") / name).read_text(encoding="utf-8")
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if not isinstance(document, dict):
        raise CatalogError(f"{name} holds no mapping")
    return document


def _one(kind: type[T], row: Any, where: str) -> T:
    try:
        return TypeAdapter(kind).validate_python(row)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{where}: {place}: {first['msg']}") from error


def _many(kind: type[T], rows: Any, where: str) -> tuple[T, ...]:
    return tuple(_one(kind, row, f"{where}: row {index}") for index, row in enumerate(rows))


def _check(catalog: Catalog) -> None:
    """What single rows cannot show: overlaps, gaps, rows that name nothing."""
    for before, after in zip(catalog.ranges, catalog.ranges[1:], strict=False):
        if after.first <= before.last:
            raise CatalogError(f"gpus.yaml: {before.chip} and {after.chip} overlap")
    expected = 0
    for rule in catalog.rules:
        if rule.first != expected:
            raise CatalogError(f"drivers.yaml: card_rules have a gap or overlap at {expected:04x}")
        expected = rule.last + 1
    if expected != 0x10000:
        raise CatalogError(f"drivers.yaml: card_rules end at {expected:04x}, need ffff")
    for one in catalog.distributions:
        for source in one.sources:
            unknown = set(source.branches) - set(catalog.branches)
            if unknown:
                raise CatalogError(f"drivers.yaml: {source.name} names branches {sorted(unknown)}")
    for row in catalog.llama.assets:
        if row.cuda is not None and row.cuda not in catalog.toolkits:
            raise CatalogError(f"llama_cpp.yaml: {row.asset} names CUDA {row.cuda}")

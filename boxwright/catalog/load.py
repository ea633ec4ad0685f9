"""Reads the packaged YAML, and a user's rows over it, into one validated Catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from boxwright.catalog import software, speed, toolkits, types
from boxwright.catalog.catalog import Catalog
from boxwright.catalog.check import check, each_once
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
    capabilities = _many(types.ComputeCapability, gpus["compute_capabilities"], "gpus.yaml")
    cards = _many(types.Card, _read("cards.yaml")["cards"], "cards.yaml")
    branches = _many(types.Branch, drivers["branches"], "drivers.yaml")
    cuda = _read("cuda.yaml")
    lines = _many(toolkits.Toolkit, cuda["toolkits"], "cuda.yaml")
    packed = _many(toolkits.Redistributable, cuda["redistributables"], "cuda.yaml")
    catalog = Catalog(
        ranges=tuple(sorted(ranges, key=lambda one: one.first)),
        capabilities=each_once(capabilities, lambda one: one.capability, "gpus.yaml"),
        cards=each_once(cards, lambda card: card.id, "cards.yaml"),
        listed=_listed("nvidia_ids.txt"),
        rules=tuple(sorted(rules, key=lambda one: one.first)),
        branches=each_once(branches, lambda one: one.branch, "drivers.yaml"),
        distributions=_many(types.Distribution, drivers["distributions"], "drivers.yaml"),
        toolkits=each_once(lines, lambda one: one.version, "cuda.yaml"),
        redistributables=each_once(packed, lambda one: one.version, "cuda.yaml"),
        build_hosts=_many(toolkits.BuildHost, cuda["build_hosts"], "cuda.yaml: build_hosts"),
        sha1_repositories=tuple(cuda["sha1_repositories"]),
        llama=_one(software.LlamaCpp, llama, "llama_cpp.yaml"),
        models={name: model_row(name, row) for name, row in models["models"].items()},
        speed=_one(speed.SpeedConstants, _read("speed.yaml"), "speed.yaml"),
    )
    check(catalog)
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


def _listed(name: str) -> dict[int, types.ListedId]:
    """Lines of four hexadecimal digits and a name, "- " before what is no graphics card."""
    text = (resources.files("boxwright.catalog") / name).read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            device, _, rest = line.partition(" ")
            display = not rest.startswith("- ")
            found[int(device, 16)] = types.ListedId(rest.removeprefix("- "), display)
    return found


def _one(kind: type[T], row: Any, where: str) -> T:
    try:
        return TypeAdapter(kind).validate_python(row)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CatalogError(f"{where}: {place}: {first['msg']}") from error


def _many(kind: type[T], rows: Any, where: str) -> tuple[T, ...]:
    return tuple(_one(kind, row, f"{where}: row {index}") for index, row in enumerate(rows))

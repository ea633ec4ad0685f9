"""Planning outside a run: for a model of the catalog, or for a GGUF file that is named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from boxwright import catalog, supply
from boxwright import plan as planner
from boxwright.cli.outcome import FAILED, Sentence
from boxwright.gguf import GgufError, read_shape
from boxwright.machine import Machine
from boxwright.operation.options import Endpoints
from boxwright.plan import Known, Plan, Refusal
from boxwright.plan.results import ModelFile
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

SHARD = re.compile(r"-(?P<index>\d{5})-of-(?P<count>\d{5})\.gguf$")


def plan_named(machine: Machine, wanted: Wanted) -> Plan:
    """The plan for the model that is wanted; its files and shape are asked of the Hub, once.

    Raises Sentence (exit 1) if the catalog or the Hub cannot answer.
    """
    known_catalog = _catalog(wanted)
    chosen = planner.choose_model(known_catalog, wanted)
    if isinstance(chosen, Refusal):
        return Plan(refusal=chosen)
    model = supply.model_from_hub(chosen, Endpoints())
    if isinstance(model, supply.Failure):
        raise Sentence(f"{model.reason}. Cure: {model.cure}.", FAILED)
    known = Known(files=model.files, commit=model.commit, shape=model.shape)
    return planner.make(machine, known_catalog, wanted, known)


def plan_file(machine: Machine, wanted: Wanted, gguf: str) -> Plan:
    """The plan for one GGUF, local or at a URL; a sharded one is named by its first shard.

    Raises Sentence (exit 1) if the file cannot be read as a GGUF.
    """
    names, shape = _shape_of(gguf)
    name = SHARD.sub("", names[0]).removesuffix(".gguf").lower()
    row = {
        "repository": name,
        "revision": "main",
        "default_quant": "file",
        "quants": {"file": {"files": list(names)}},
        "architecture": shape.architecture,
    }
    wanted = replace(wanted, model=name, model_quant="file", models_catalog={name: row})
    files = tuple(ModelFile(one) for one in names)
    return planner.make(machine, _catalog(wanted), wanted, Known(files=files, shape=shape))


def _catalog(wanted: Wanted) -> catalog.Catalog:
    try:
        return catalog.load_with(wanted.models_catalog, wanted.runtime_asset_rows)
    except catalog.CatalogError as error:
        raise Sentence(f"{error}.", FAILED) from error


def _shape_of(gguf: str) -> tuple[tuple[str, ...], ModelShape]:
    paths = [Path(name) for name in shards_of(gguf)]
    try:
        return tuple(path.name for path in paths), read_shape(paths)
    except (GgufError, OSError) as error:
        raise Sentence(f"{gguf}: {error}.", FAILED) from error


def shards_of(first: str) -> tuple[str, ...]:
    """All shards of the file whose first (or any) shard is named; a file without shards alone."""
    found = SHARD.search(first)
    if not found:
        return (first,)
    count = int(found["count"])
    stem = first[: found.start()]
    return tuple(f"{stem}-{index:05d}-of-{count:05d}.gguf" for index in range(1, count + 1))

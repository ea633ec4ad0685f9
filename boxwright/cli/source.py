"""Planning outside a run: for a model of the catalog, or for a GGUF file that is named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from boxwright import catalog, supply
from boxwright import plan as planner
from boxwright.cli.outcome import FAILED, Sentence
from boxwright.gguf import GgufError, read_shape
from boxwright.machine import Machine
from boxwright.operation.options import Endpoints
from boxwright.plan import Known, ModelChoice, Plan, Refusal
from boxwright.plan.results import ModelFile
from boxwright.plan.wanted import Wanted

HUB_URL = re.compile(
    r"^(?P<hub>https?://[^/]+)/(?P<repository>[^/]+/[^/]+)/(?:resolve|blob)/(?P<revision>[^/]+)/"
    r"(?P<path>[^?]+\.gguf)(?:\?.*)?$"
)
HUB_FAILURES = 2  # after which it counts as away; one may be a repository that changed
QUANT = "file"  # the name that a file without a catalog row gets in place of its quant
SHARD = re.compile(r"-(?P<index>\d{5})-of-(?P<count>\d{5})\.gguf$")


def plan_named(machine: Machine, wanted: Wanted) -> Plan:
    """The plan for the model that is wanted; its files and shape are asked of the Hub, once.

    Where the Hub does not answer, the plan rests on the catalog's estimate of the model and says
    so. Raises Sentence (exit 1) if the catalog cannot tell either.
    """
    known_catalog = _catalog(wanted)
    hub = _Hub()
    settled = planner.settle(machine, known_catalog, wanted, hub.known)
    if isinstance(settled, Refusal):
        return Plan(refusal=settled)
    chosen = planner.choose_model(known_catalog, settled)
    if isinstance(chosen, Refusal):
        return Plan(refusal=chosen)
    notes = planner.note_on(machine, known_catalog, wanted, settled)
    model = hub.model(chosen)
    known = _estimated(known_catalog, chosen, model) if isinstance(model, supply.Failure) else None
    known = known or _known(model)
    known = replace(known, notes=known.notes + notes)
    return _with_offers(machine, known_catalog, settled, known)


@dataclass
class _Hub:
    """What the Hub answered of each choice, asked once; one that keeps failing is left alone."""

    answers: dict[tuple[str, str], supply.ResolvedModel | supply.Failure] = field(
        default_factory=dict
    )

    def model(self, choice: ModelChoice) -> supply.ResolvedModel | supply.Failure:
        """Files and shape, or why they cannot be had."""
        key = (choice.name, choice.quant)
        if key not in self.answers:
            self.answers[key] = supply.model_from_hub(choice, Endpoints())
        return self.answers[key]

    def known(self, choice: ModelChoice) -> Known | None:
        """For a choice of the planner's; None if the Hub does not answer."""
        failures = sum(isinstance(one, supply.Failure) for one in self.answers.values())
        if failures >= HUB_FAILURES:
            return None
        model = self.model(choice)
        return None if isinstance(model, supply.Failure) else _known(model)


def _estimated(
    known_catalog: catalog.Catalog, choice: ModelChoice, failure: supply.Failure
) -> Known | None:
    """What the catalog estimates of a model that the Hub does not tell of now, or None."""
    row = known_catalog.models[choice.name]
    quant = row.quants.get(choice.quant)
    shape = planner.estimated_shape(row, quant) if quant else None
    if shape is None:
        return None
    note = (
        f"{failure.reason}: memory and speed rest on the catalog's estimate of {choice.name}"
        f" {choice.quant}, not on its tensors."
    )
    return Known(shape=shape, notes=(note,), estimated=True)


def plan_file(machine: Machine, wanted: Wanted, gguf: str) -> Plan:
    """The plan for one GGUF, local or at a Hub's URL; a sharded one is named by any of its shards.

    Raises Sentence (exit 1) if the file cannot be read as a GGUF.
    """
    where = HUB_URL.match(gguf)
    if gguf.startswith(("http://", "https://")) and not where:
        raise Sentence(
            f"{gguf} is no file of a Hub; it needs https://HUB/OWNER/NAME/resolve/REVISION/FILE.gguf."
            " Or download it and name its path.",
            FAILED,
        )
    names = shards_of(where["path"] if where else gguf)
    repository, revision = (where["repository"], where["revision"]) if where else ("local", "main")
    name = SHARD.sub("", Path(names[0]).name).removesuffix(".gguf").lower()
    choice = ModelChoice(name, QUANT, repository, revision, names)
    if where:
        known = _known(supply.model_from_hub(choice, Endpoints(models_hub_url=where["hub"])))
    else:
        known = _from_disk(gguf, [Path(one) for one in names])
    row = {
        "repository": repository,
        "revision": revision,
        "default_quant": QUANT,
        "quants": {QUANT: {"files": [{"name": file.name} for file in known.files]}},
    }
    wanted = replace(wanted, model=name, model_quant=QUANT, models_catalog={name: row})
    return _with_offers(machine, _catalog(wanted), wanted, known)


def _with_offers(
    machine: Machine, known_catalog: catalog.Catalog, wanted: Wanted, known: Known
) -> Plan:
    made = planner.make(machine, known_catalog, wanted, known)
    return planner.with_offers(machine, known_catalog, wanted, known, made)


def _known(model: supply.ResolvedModel | supply.Failure) -> Known:
    if isinstance(model, supply.Failure):
        raise Sentence(f"{model.reason}. Cure: {model.cure}.", FAILED)
    return Known(files=model.files, commit=model.commit, shape=model.shape)


def _from_disk(named: str, paths: list[Path]) -> Known:
    try:
        shape = read_shape(paths)
        files = tuple(ModelFile(path.name, path.stat().st_size) for path in paths)
    except (GgufError, OSError) as error:
        raise Sentence(f"{named}: {error}.", FAILED) from error
    return Known(files=files, shape=shape)


def _catalog(wanted: Wanted) -> catalog.Catalog:
    try:
        return catalog.load_with(wanted.models_catalog, wanted.runtime_asset_rows)
    except catalog.CatalogError as error:
        raise Sentence(f"{error}.", FAILED) from error


def shards_of(named: str) -> tuple[str, ...]:
    """All shards of the file of which one is named; a file without shards alone."""
    found = SHARD.search(named)
    if not found:
        return (named,)
    count, stem = int(found["count"]), named[: found.start()]
    return tuple(f"{stem}-{index:05d}-of-{count:05d}.gguf" for index in range(1, count + 1))

"""Which model, quant and files are meant, and where they lie on the host."""

from __future__ import annotations

from pathlib import PurePosixPath

from boxwright.catalog import Catalog, QuantRow
from boxwright.plan.known import Known, ModelChoice
from boxwright.plan.results import ModelFile, ModelPlan, Refusal
from boxwright.plan.wanted import Wanted

MIB = 1024**2


def choose_model(catalog: Catalog, wanted: Wanted) -> ModelChoice | Refusal:
    """The model and quant that the wishes name; without a quant the catalog's default one.

    A quant that the catalog does not list is left to the Hub, which knows what the repository has.
    A refusal where the catalog has no such model, naming those it has.
    """
    row = catalog.models.get(wanted.model)
    if row is None:
        return Refusal(
            f"model {wanted.model!r} is unknown; the catalog has"
            f" {', '.join(sorted(catalog.models))}",
            "set model to one of these, or add a row of it to models_catalog",
        )
    quant = wanted.model_quant or row.default_quant
    for what, name in (("model", wanted.model), ("model_quant", quant)):
        if "/" in name or name.startswith("."):
            return Refusal(
                f"{what} is {name!r}, needs a name that can be a directory's",
                f"correct {what}: no slash in it, no dot at its beginning",
            )
    found = row.quants.get(quant) or QuantRow()
    return ModelChoice(
        name=wanted.model,
        quant=quant,
        repository=found.repository or row.repository,
        revision=found.revision or row.revision,
        names=tuple(file.name for file in found.files),
        sha256={file.name: file.sha256 for file in found.files if file.sha256},
        size_bytes={f.name: f.size_bytes for f in found.files if f.size_bytes is not None},
    )


def decide(choice: ModelChoice, wanted: Wanted, known: Known) -> ModelPlan:
    """The model's files as resolved, else as the catalog names them."""
    files = known.files or tuple(
        ModelFile(name, choice.size_bytes.get(name), choice.sha256.get(name))
        for name in choice.names
    )
    return ModelPlan(
        name=choice.name,
        quant=choice.quant,
        repository=choice.repository,
        revision=known.commit or choice.revision,
        files=files,
        directory=str(PurePosixPath(wanted.models_directory) / choice.name / choice.quant),
        size_mib=_size_mib(files, known),
    )


def path_on_host(model: ModelPlan) -> str:
    """The file that llama-server is given: the first shard."""
    first = model.files[0].name if model.files else "model.gguf"
    return str(PurePosixPath(model.directory) / PurePosixPath(first).name)


def _size_mib(files: tuple[ModelFile, ...], known: Known) -> int | None:
    sizes = [file.size_bytes for file in files]
    if sizes and None not in sizes:
        return -(-sum(size or 0 for size in sizes) // MIB)
    if known.shape is not None and known.shape.file_bytes:
        return -(-known.shape.file_bytes // MIB)
    return None

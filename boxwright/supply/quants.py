"""Which files of a repository are the chosen model: by the catalog's names, or by quant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from boxwright.plan.known import ModelChoice
from boxwright.supply.results import SupplyError

SHARD = re.compile(r"^(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})$")
# projectors and calibration data lie beside the models and are none
NO_MODEL = re.compile(r"mmproj|imatrix", re.IGNORECASE)
LABEL = re.compile(
    r"(?:UD-|i1-)?(?:I?Q\d[A-Z0-9_]*|TQ\d_\d|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Listed:
    """One file of the repository; `sha256` is None for files that are not in LFS."""

    path: str
    size_bytes: int
    sha256: str | None


def choose_files(choice: ModelChoice, listed: Sequence[Listed]) -> tuple[Listed, ...]:
    """The chosen model's files, shards in order; raises SupplyError naming what is there."""
    by_path = {one.path: one for one in listed}
    if choice.names:
        missing = [name for name in choice.names if name not in by_path]
        if missing:
            raise SupplyError(
                f"{choice.repository} at {choice.revision} has no file {', '.join(missing)};"
                f" {_what_is_there(listed)}",
                f"correct the files of {choice.name} in models_catalog, or its revision",
            )
        return tuple(by_path[name] for name in choice.names)
    groups = _groups(_of_quant(choice.quant, [one for one in listed if _is_model(one.path)]))
    if len(groups) == 1:
        return _complete(next(iter(groups.values())), choice)
    if not groups:
        raise SupplyError(
            f"{choice.repository} at {choice.revision} has no GGUF of quant {choice.quant};"
            f" {_what_is_there(listed)}",
            "choose one of these with model_quant",
        )
    raise SupplyError(
        f"{choice.repository} has {len(groups)} models of quant {choice.quant}"
        f" ({', '.join(sorted(groups))}), needs one",
        f"name the files of {choice.name} in models_catalog",
    )


def _is_model(path: str) -> bool:
    return path.lower().endswith(".gguf") and not NO_MODEL.search(PurePosixPath(path).name)


def _stem(path: str) -> str:
    """The file's name without `.gguf` and its place among shards."""
    stem = PurePosixPath(path).name[: -len(".gguf")]
    found = SHARD.match(stem)
    return found["stem"] if found else stem


def _of_quant(quant: str, models: Sequence[Listed]) -> list[Listed]:
    """Files whose name ends in the quant; failing that, whose directory is it; else that name it.

    `UD-` (dynamic quants) makes another quant, so `Q4_K_M` is never `UD-Q4_K_M`.
    """
    name = re.escape(quant)
    before = (
        r"(?<![A-Za-z0-9_])" if quant.upper().startswith("UD-") else r"(?<![A-Za-z0-9_])(?<!UD-)"
    )
    for pattern, text in (
        (rf"{before}{name}$", _stem),
        (rf"^{name}$", lambda path: PurePosixPath(path).parent.name),
        (rf"{before}{name}(?![A-Za-z0-9_])", _stem),
    ):
        found = [one for one in models if re.search(pattern, text(one.path), re.IGNORECASE)]
        if found:
            return found
    return []


def _groups(models: Iterable[Listed]) -> dict[str, list[Listed]]:
    """Files by the model they are of: directory and stem, all shards together."""
    groups: dict[str, list[Listed]] = {}
    for one in sorted(models, key=lambda one: one.path):
        directory = PurePosixPath(one.path).parent
        groups.setdefault(str(directory / _stem(one.path)), []).append(one)
    return groups


def _complete(group: list[Listed], choice: ModelChoice) -> tuple[Listed, ...]:
    shards = [SHARD.match(PurePosixPath(one.path).name[: -len(".gguf")]) for one in group]
    count = max((int(shard["count"]) for shard in shards if shard), default=1)
    if len(group) != count:
        raise SupplyError(
            f"{choice.repository} has {len(group)} of the {count} shards of quant {choice.quant}",
            "wait until the repository is complete, or choose another quant with model_quant",
        )
    return tuple(group)


def _what_is_there(listed: Sequence[Listed]) -> str:
    models = [one.path for one in listed if _is_model(one.path)]
    labels = {found[0] for path in models if (found := LABEL.search(_stem(path)))}
    if labels:
        return f"the quants that are there: {', '.join(sorted(labels))}"
    return f"the GGUF files that are there: {', '.join(sorted(models)[:20]) or 'none'}"

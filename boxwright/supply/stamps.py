"""A model as the host's own stamp describes it, so that a converged host asks nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from boxwright.plan.known import ModelChoice
from boxwright.plan.results import ModelFile
from boxwright.shapes import ModelShape
from boxwright.supply.results import ResolvedModel

COMMIT = re.compile(r"[0-9a-f]{40}")

_shape = TypeAdapter(ModelShape)


class StampedFile(Protocol):
    """One finished file, as the stamp records it."""

    @property
    def name(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...


class ModelStamp(Protocol):
    """What lies in a model's `boxwright.json` on the host; `shape` is the shape's JSON."""

    @property
    def repository(self) -> str: ...
    @property
    def commit(self) -> str: ...
    @property
    def files(self) -> Sequence[StampedFile]: ...
    @property
    def shape(self) -> Any: ...


class PresentFile(Protocol):
    """One file below the models directory."""

    @property
    def path(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


class ModelsState(Protocol):
    """What the host has; `boxwright.facts.ModelsState` is one."""

    @property
    def files(self) -> Sequence[PresentFile]: ...

    def stamp_of(self, name: str, quant: str, /) -> ModelStamp | None:
        """The stamp of a model that is complete, or None."""


def shape_from(document: Any) -> ModelShape | None:
    """A shape from its JSON (or a shape), or None if it is none."""
    if isinstance(document, ModelShape):
        return document
    try:
        return _shape.validate_python(document)
    except ValidationError:
        return None


def model_from_stamp(choice: ModelChoice, state: ModelsState) -> ResolvedModel | None:
    """The model that is chosen, if the host's stamp describes exactly that one.

    None if there is no stamp, or it is of another repository, pinned commit, pinned file or
    checksum, or has no readable shape. None also if a file of it is gone: the Hub has to be asked
    then anyway, and only the Hub knows the folder that file lies in. A branch or tag as revision
    accepts the stamped commit: a moving `main` never makes a host fetch its model again.
    """
    stamp = state.stamp_of(choice.name, choice.quant)
    if stamp is None or stamp.repository != choice.repository:
        return None
    if COMMIT.fullmatch(choice.revision) and stamp.commit != choice.revision:
        return None
    shape = shape_from(stamp.shape)
    files = _files(choice, stamp) if _all_there(choice, stamp, state) else None
    if shape is None or files is None:
        return None
    return ResolvedModel(files=files, commit=stamp.commit, shape=shape)


def _all_there(choice: ModelChoice, stamp: ModelStamp, state: ModelsState) -> bool:
    place = (choice.name, choice.quant)
    there = {
        (path.name, file.size_bytes)
        for file in state.files
        if (path := PurePosixPath(file.path)).parts[-3:-1] == place
    }
    return all((PurePosixPath(one.name).name, one.size_bytes) in there for one in stamp.files)


def _files(choice: ModelChoice, stamp: ModelStamp) -> tuple[ModelFile, ...] | None:
    stamped = {PurePosixPath(one.name).name: one for one in stamp.files}
    names = {PurePosixPath(name).name: name for name in choice.names}
    if not stamped or (names and names.keys() != stamped.keys()):
        return None
    files = []
    for base in names or sorted(stamped):
        one = stamped[base]
        name = names.get(base, one.name)
        if not _as_pinned(choice.sha256, name, one.sha256):
            return None
        if not _as_pinned(choice.size_bytes, name, one.size_bytes):
            return None
        files.append(ModelFile(name=name, size_bytes=one.size_bytes, sha256=one.sha256))
    return tuple(files)


def _as_pinned(pinned: Mapping[str, Any], name: str, found: object) -> bool:
    wanted = pinned.get(name)
    return wanted is None or str(wanted).lower() == str(found).lower()

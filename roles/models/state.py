"""A model's files as planned against what lies on the disk: pure comparisons and the stamp."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from boxwright.facts import ModelsState, PresentFile
from boxwright.plan.results import ModelFile, ModelPlan

SCHEMA = "boxwright.model/1"


@dataclass(frozen=True)
class WantedFile:
    """One file to have: `name` inside the repository, `path` on the host."""

    name: str
    path: str
    size_bytes: int
    sha256: str

    @property
    def base_name(self) -> str:
        """Its own name, without folders."""
        return PurePosixPath(self.path).name

    @property
    def part(self) -> str:
        """Where it grows until it is whole and checked."""
        return f"{self.path}.part"


def wanted_files(model: ModelPlan, files: Iterable[ModelFile]) -> tuple[WantedFile, ...]:
    """Where each resolved file is to lie; raises ValueError for one without size or sha256."""
    wanted = []
    for file in files:
        if file.size_bytes is None or file.sha256 is None:
            raise ValueError(f"{file.name} is not resolved: it has no size or no sha256")
        path = f"{model.directory}/{PurePosixPath(file.name).name}"
        wanted.append(WantedFile(file.name, path, file.size_bytes, file.sha256.lower()))
    return tuple(wanted)


def present_at(state: ModelsState, path: str) -> PresentFile | None:
    """The file at exactly this path, or None."""
    return next((file for file in state.files if file.path == path), None)


def settled(state: ModelsState, model: ModelPlan, wanted: Iterable[WantedFile]) -> bool:
    """Whether the stamp tells that every wanted file lies there, whole and untouched since.

    Size and time of change are compared, nothing is read: 70 GB are hashed once, when they come.
    """
    stamp = state.stamp_of(model.name, model.quant)
    if stamp is None:
        return False
    stamped = {PurePosixPath(file.name).name: file for file in stamp.files}
    files = tuple(wanted)
    return len(stamped) == len(files) and all(
        _untouched(stamped.get(file.base_name), present_at(state, file.path), file)
        for file in files
    )


def _untouched(stamped: Any, present: PresentFile | None, file: WantedFile) -> bool:
    if stamped is None or present is None:
        return False
    same_content = stamped.sha256 == file.sha256 and stamped.size_bytes == file.size_bytes
    return (
        same_content
        and present.size_bytes == file.size_bytes
        and int(present.mtime_s) == int(stamped.mtime_s)
    )


def checked_before(state: ModelsState, model: ModelPlan, file: WantedFile) -> bool:
    """Whether the stamp vouches for this one file, so that it need not be hashed again."""
    stamp = state.stamp_of(model.name, model.quant)
    stamped = {PurePosixPath(one.name).name: one for one in stamp.files} if stamp else {}
    return _untouched(stamped.get(file.base_name), present_at(state, file.path), file)


def candidates(state: ModelsState, file: WantedFile) -> tuple[str, ...]:
    """Files elsewhere on the model disk that may be this one: same base name, same size."""
    return tuple(
        sorted(
            present.path
            for present in state.files
            if present.path != file.path
            and PurePosixPath(present.path).name == file.base_name
            and present.size_bytes == file.size_bytes
        )
    )


def missing_bytes(state: ModelsState, wanted: Iterable[WantedFile]) -> int:
    """How much has still to come over the network."""
    missing = 0
    for file in wanted:
        there = present_at(state, file.path)
        if there is not None and there.size_bytes == file.size_bytes:
            continue
        part = present_at(state, file.part)
        missing += file.size_bytes - min(file.size_bytes, part.size_bytes if part else 0)
    return missing


def stamp_of(
    model: ModelPlan, commit: str, wanted: Iterable[WantedFile], state: ModelsState,
    shape: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """The stamp, written last: what lies there, from where, and its shape for the planner."""
    files = []
    for file in wanted:
        present = present_at(state, file.path)
        if present is None:
            raise ValueError(f"{file.path} is gone")
        row = {"name": file.base_name, "size_bytes": file.size_bytes, "sha256": file.sha256}
        files.append({**row, "mtime_s": present.mtime_s})
    return {
        "schema": SCHEMA,
        "name": model.name,
        "quant": model.quant,
        "repository": model.repository,
        "commit": commit,
        "files": files,
        "shape": shape,
    }

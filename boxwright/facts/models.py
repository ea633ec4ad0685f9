"""What lies on a host's model disk: every file, and the stamps of finished models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from pyinfra.api import FactBase

from boxwright.facts.documents import as_json, read_stamp
from boxwright.facts.shell import script, tagged

PART = ".part"


@dataclass(frozen=True)
class PresentFile:
    """One file under the models directory; `mtime_s` is seconds since the epoch."""

    path: str
    size_bytes: int
    mtime_s: int


@dataclass(frozen=True)
class StampedFile:
    """One file as the stamp recorded it when it was whole and checked; `name` without folders."""

    name: str
    size_bytes: int
    sha256: str
    mtime_s: int


@dataclass(frozen=True)
class ModelStamp:
    """`boxwright.json` of a finished model; `shape` is what `ModelShape.to_json` wrote."""

    name: str
    quant: str
    repository: str
    commit: str
    files: tuple[StampedFile, ...]
    shape: dict[str, Any]


@dataclass(frozen=True)
class ModelsState:
    """All models of a host. `directory` is the models directory that was read."""

    stamps: tuple[ModelStamp, ...] = ()
    files: tuple[PresentFile, ...] = ()
    directory: str = ""

    def stamp_of(self, name: str, quant: str) -> ModelStamp | None:
        """The stamp of that model, or None. Whether its files are still so is told by `files`."""
        return next((s for s in self.stamps if (s.name, s.quant) == (name, quant)), None)

    def bytes_of(self, name: str, quant: str) -> int:
        """How much of that model lies in its place, finished or partial."""
        place = PurePosixPath(self.directory, name, quant)
        sizes: dict[str, int] = {}
        for file in self.files:
            path = PurePosixPath(file.path)
            if path.parent == place:
                whole = path.name.removesuffix(PART)
                sizes[whole] = max(file.size_bytes, sizes.get(whole, 0))
        return sum(sizes.values())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        document: dict[str, Any] = as_json(self)
        return document


_STAMP = TypeAdapter(ModelStamp)


class Models(FactBase[ModelsState]):
    """The files and stamps under `directory`; a stamp that cannot be read counts as none."""

    @staticmethod
    def default() -> ModelsState:
        """No models."""
        return ModelsState()

    def command(self, directory: str = "/srv/models") -> str:
        """List the directory."""
        return script("encode.sh", "stamps.sh", "models.sh", directory=directory)

    def process(self, output: Sequence[str]) -> ModelsState:
        """Read the lines that `models.sh` wrote."""
        directory, files, stamps = "", [], []
        for tag, fields in tagged(output):
            if tag == "directory":
                directory = fields[0]
            elif tag == "file" and len(fields) > 2 and fields[0].isdigit():
                path = "\t".join(fields[2:])
                files.append(PresentFile(path, int(fields[0]), int(float(fields[1]))))
            elif tag == "stamp" and len(fields) == 2:
                stamp = read_stamp(_STAMP, "boxwright.model/1", fields[1])
                if stamp and PurePosixPath(fields[0]).parts[-3:-1] == (stamp.name, stamp.quant):
                    stamps.append(stamp)
        return ModelsState(tuple(stamps), tuple(files), directory)

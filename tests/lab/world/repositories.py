"""The repositories of the lab's Hub: what lies in them, and how they misbehave when told to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.world.transfer import Fault

MANIFEST = "repository.json"


@dataclass(frozen=True)
class Rules:
    """What a repository does besides serving; each is a key of its entry in the faults file.

    `gated`: 401 without the token; `token`: the one that may read; `status`: every request gets
    it; `expire_s`: life of its links; `corrupt`, `cut_after`, `rate`: see web.Fault.
    """

    gated: bool = False
    token: str | None = None
    status: int | None = None
    expire_s: float | None = None
    corrupt: bool = False
    cut_after: int | None = None
    rate: int | None = None

    @property
    def fault(self) -> Fault:
        """The part that concerns the bytes."""
        return Fault(self.corrupt, self.cut_after, self.rate)


class Repositories:
    """The repositories under a root, and the rules of this moment."""

    def __init__(self, root: Path, faults: Path | None) -> None:
        self.root, self.faults = root.resolve(), faults

    def rules(self, name: str) -> Rules:
        """The rules of one repository now."""
        try:
            text = self.faults.read_text() if self.faults else "{}"
        except FileNotFoundError:  # at any moment: a test that is over takes its faults away
            text = "{}"
        return Rules(**json.loads(text).get(name, {}))

    def directory(self, name: str) -> Path | None:
        """Where a repository lies, or None."""
        path = (self.root / name).resolve()
        known = path.parent.parent == self.root and (path / MANIFEST).is_file()
        return path if known else None

    def manifest(self, directory: Path) -> dict[str, Any]:
        """The commit and the files of a repository."""
        content: dict[str, Any] = json.loads((directory / MANIFEST).read_text())
        return content


def lfs(file: dict[str, Any]) -> dict[str, Any]:
    """What the Hub says of a file that git keeps elsewhere."""
    return {"oid": file["sha256"], "size": file["size"], "pointerSize": 134}


def entries(files: list[dict[str, Any]], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """The rows of a tree listing below a folder."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        if not file["path"].startswith(prefix):
            continue
        parts = file["path"].removeprefix(prefix).split("/")
        for depth in range(1, len(parts)):
            parent = prefix + "/".join(parts[:depth])
            if recursive or depth == 1:
                found[parent] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": parent}
        if recursive or len(parts) == 1:
            row = {"type": "file", "oid": file["oid"], "size": file["size"]}
            if file["sha256"]:
                row["lfs"] = lfs(file)
            found[file["path"]] = row | {"path": file["path"]}
    return list(found.values())

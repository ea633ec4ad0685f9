"""Artifacts that are built once: a directory per artifact, replaced whole, keyed by its recipe."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20
RECIPE = ".recipe"


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def recipe_of(*parts: Path | str) -> str:
    """What an artifact is made from: the content of source files, and other inputs as text."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


@contextmanager
def locked(cache: Path, name: str) -> Iterator[None]:
    """Hold the cache's lock of this name: two labs never build one artifact twice at a time."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def made(directory: Path, recipe: str, build: Callable[[Path], None]) -> Path:
    """The artifact's directory; built into `.part` and renamed, unless this recipe made it."""
    stamp = directory / RECIPE
    if stamp.is_file() and stamp.read_text() == recipe:
        return directory
    part = directory.with_name(directory.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    build(part)
    (part / RECIPE).write_text(recipe)
    shutil.rmtree(directory, ignore_errors=True)
    part.rename(directory)
    return directory


def write_json(path: Path, content: object) -> None:
    """Write JSON that people can read."""
    path.write_text(json.dumps(content, indent=1) + "\n")

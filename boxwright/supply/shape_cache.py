"""Shapes that were read before, kept on this machine so that a later run fetches no headers.

One JSON file per model below `$XDG_CACHE_HOME/boxwright/shapes`; a file that cannot be read, or
that another version of the reader wrote, counts as missing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import boxwright.gguf
from boxwright.shapes import ModelShape
from boxwright.supply.stamps import shape_from

SCHEMA = "boxwright.shape/1"

logger = logging.getLogger(__name__)


def cached_shape(repository: str, commit: str, names: Sequence[str]) -> ModelShape | None:
    """The shape of these files, if it was kept."""
    wanted = _key(repository, commit, names)
    try:
        document = json.loads(_path(wanted).read_text(encoding="utf-8"))
        if {name: document[name] for name in wanted} == wanted:
            return shape_from(document["shape"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.debug("no cached shape of %s: %s", repository, error)
    return None


def keep_shape(repository: str, commit: str, names: Sequence[str], shape: ModelShape) -> None:
    """Keep a shape; a cache that cannot be written is none, and no error."""
    key = _key(repository, commit, names)
    path = _path(key)
    text = json.dumps({**key, "shape": shape.to_json()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False
        ) as file:
            part = Path(file.name)
            file.write(text)
        part.replace(path)
    except OSError as error:
        logger.debug("shape of %s not kept: %s", repository, error)


def cache_directory() -> Path:
    """Where this machine keeps what can be made again."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return base / "boxwright"


def _key(repository: str, commit: str, names: Sequence[str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "reader": _reader(),
        "repository": repository,
        "commit": commit,
        "names": list(names),
    }


def _path(key: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache_directory() / "shapes" / f"{digest}.json"


@cache
def _reader() -> str:
    """A digest of the reader's own source: what it reads may change with any of its rules."""
    digest = hashlib.sha256()
    for path in sorted(Path(boxwright.gguf.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

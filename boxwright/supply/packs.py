"""Compiled releases that this machine keeps, so that hosts alike compile once.

One `KEY.tar.gz` and one `KEY.json` beside it per pack. The second is written last: what has none,
or is not of the size it says, counts as missing. Whether the bytes are right is checked where they
are used, by their sha256.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from boxwright.supply.results import Failure
from boxwright.supply.shape_cache import cache_directory

SCHEMA = "boxwright.pack/1"
KEY = re.compile(r"[\w.][\w.-]*")
SHA256 = re.compile(r"[0-9a-f]{64}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pack:
    """One packed release on this machine."""

    path: Path
    sha256: str
    size_bytes: int


def packs_directory(named: str | None) -> Path:
    """Where packs lie: the named directory, or `packs` in this user's cache."""
    return Path(named).expanduser() if named else cache_directory() / "packs"


def find_pack(directory: Path, key: str) -> Pack | None:
    """The pack of this name, if all of it is there."""
    if not KEY.fullmatch(key):
        return None
    path = directory / f"{key}.tar.gz"
    try:
        document = json.loads(_described(directory, key).read_text(encoding="utf-8"))
        sha256, size_bytes = document["sha256"], document["size_bytes"]
        whole = document["schema"] == SCHEMA and path.stat().st_size == size_bytes
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.debug("no pack %s: %s", key, error)
        return None
    return Pack(path, sha256, size_bytes) if whole and SHA256.fullmatch(str(sha256)) else None


def pack_part(directory: Path, key: str) -> Path | Failure:
    """Where a pack is to grow until it is whole; makes the directory."""
    if not KEY.fullmatch(key):
        return Failure(f"{key!r} is no name of a pack", "report this")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return _unwritable(directory, error)
    return directory / f"{key}.tar.gz.part"


def keep_pack(directory: Path, key: str, sha256: str, size_bytes: int) -> Pack | Failure:
    """Give what has grown its name, if it is whole; a pack with another sha256 gets none."""
    path = directory / f"{key}.tar.gz"
    part = path.with_name(f"{path.name}.part")
    try:
        found = _sha256_of(part)
    except OSError as error:
        return _unwritable(directory, error)
    if found != sha256:
        return Failure(
            f"pack {key} arrived with sha256 {found}, needed {sha256}", "run again, it is sent anew"
        )
    document = {"schema": SCHEMA, "sha256": sha256, "size_bytes": size_bytes}
    described = _described(directory, key)
    told = described.with_suffix(".json.part")
    try:
        described.unlink(missing_ok=True)
        part.replace(path)
        told.write_text(json.dumps(document) + "\n", encoding="utf-8")
        told.replace(described)
    except OSError as error:
        return _unwritable(directory, error)
    return Pack(path, sha256, size_bytes)


def is_whole(pack: Pack) -> bool:
    """Whether the bytes of a pack are still those it was kept with; reads all of it."""
    try:
        return _sha256_of(pack.path) == pack.sha256
    except OSError as error:
        logger.debug("%s cannot be read: %s", pack.path, error)
        return False


def drop_pack(directory: Path, key: str) -> None:
    """Forget a pack that turned out to be damaged."""
    for path in (_described(directory, key), directory / f"{key}.tar.gz"):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            logger.debug("pack %s stays: %s", key, error)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _described(directory: Path, key: str) -> Path:
    return directory / f"{key}.json"


def _unwritable(directory: Path, error: OSError) -> Failure:
    return Failure(
        f"packs cannot be kept in {directory} ({error.strerror or error})",
        "free space there, or name another directory with runtime_packs_directory",
    )

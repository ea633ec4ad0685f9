"""Gives hosts with a GPU its compiled shaders: compiling them at each start takes over a minute.

Handed over when a host already runs, so that hosts can be used while the shaders are compiled for
the first time.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.lab import access
from tests.lab.hosts import HostSpec
from tests.lab.settings import Lab

PLACE = "/var/cache/mesa-shaders"
UNPACK = (
    f"[ -d {PLACE} ] || {{ sudo mkdir -p {PLACE}.part && sudo tar -xf - -C {PLACE}.part && "
    f"sudo chmod 0777 {PLACE}.part && sudo mv {PLACE}.part {PLACE}; }}"
)


def hand_over(lab: Lab, spec: HostSpec, source: Path) -> None:
    """Copy the compiled shaders to a running host unless it has them."""
    access.run(lab, spec.name, UNPACK, stdin=_packed(source))


def _packed(source: Path) -> bytes:
    """A tar archive of the directory; Mesa writes to its cache whoever runs it, so anyone may."""

    def writable(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mode = 0o777 if member.isdir() else 0o666
        member.uid = member.gid = 0
        return member

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(source, arcname=".", filter=writable)
    return buffer.getvalue()

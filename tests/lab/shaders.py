"""Gives hosts with a GPU its compiled shaders: compiling them at each start takes over a minute.

Handed over when a host already runs, so that hosts can be used while the shaders are compiled for
the first time.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from tests.lab import access
from tests.lab.hosts import HostSpec
from tests.lab.settings import Lab

PLACE = "/var/cache/mesa-shaders"
UNPACK = """
[ -e {place}/.{digest} ] || {{
    sudo rm -rf {place}.part && sudo mkdir -p {place}.part && sudo tar -xf - -C {place}.part &&
    sudo chmod 0777 {place}.part && sudo touch {place}.part/.{digest} &&
    sudo rm -rf {place} && sudo mv {place}.part {place}
}}
"""


def hand_over(lab: Lab, spec: HostSpec, source: Path) -> None:
    """Copy the compiled shaders to a running host unless it was given these very ones."""
    packed = _packed(source)
    digest = hashlib.sha256(packed).hexdigest()[:16]
    access.run(lab, spec.name, UNPACK.format(place=PLACE, digest=digest), stdin=packed)


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

"""Base layers: fresh Debian userlands, built once into the cache and shared read-only by hosts."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.settings import CACHE_ROOT
from tests.lab.state import LabError, locked
from tests.lab.world.fetch import machine_apt

MINIMAL = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "iproute2",
    "procps",
    "pciutils",
    "kmod",
    "sudo",
    "ca-certificates",
    "python3-minimal",
)
"""What a minimal server install brings; nothing of what Boxwright installs."""

SOFTWARE_GPU = ("mesa-vulkan-drivers", "libgomp1")
"""llvmpipe, the GPU of a lab host: it takes the place of silicon, so it is there from the start."""


@dataclass(frozen=True)
class Layer:
    """One userland: a Debian suite and the packages in it."""

    suite: str
    packages: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where it lies in the cache; another list of packages gets another place."""
        made_from = (self.suite, machine_apt().debian_mirror, *self.packages)
        digest = hashlib.sha256(" ".join(made_from).encode()).hexdigest()
        return CACHE_ROOT / "layers" / f"{self.suite}-{digest[:12]}"


LAYERS = {
    "trixie": Layer("trixie", MINIMAL + SOFTWARE_GPU),
    "bookworm": Layer("bookworm", MINIMAL),
}


def build(name: str) -> Path:
    """The root directory of this layer; builds it first (about 30 s) if the cache lacks it."""
    layer = LAYERS[name]
    with locked(layer.path.with_suffix(".lock")):
        if not layer.path.is_dir():
            _bootstrap(layer)
    return layer.path


def _keyring(suite: str) -> Path:
    """Keys that sign this suite; an older machine's own keyring may lack those of a newer one."""
    own = Path("/usr/share/keyrings")
    if (own / f"debian-archive-{suite}-automatic.gpg").exists() or suite == "bookworm":
        return own
    return build("bookworm") / "usr/share/keyrings"


def _bootstrap(layer: Layer) -> None:
    part = layer.path.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    log = layer.path.with_suffix(".log")
    apt = machine_apt()
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--keyring={_keyring(layer.suite)}",
        # An archive mirror frozen in time still serves, though its Release file has expired.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={','.join(layer.packages)}",
        *(f"--aptopt={line}" for line in apt.acquire_lines),
        layer.suite,
        str(part),
        # One source, the one its hosts get too: versions from another would not fit together.
        apt.debian_mirror,
    ]
    with log.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        tail = "\n".join(log.read_text().splitlines()[-8:])
        raise LabError(f"mmdebstrap {layer.suite} failed, see {log}:\n{tail}")
    part.rename(layer.path)

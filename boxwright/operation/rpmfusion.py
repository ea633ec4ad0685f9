"""RPM Fusion's release packages, which bring its repositories and keys to a Fedora host.

Shared, because preflight asks whether they answer before the driver role installs them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from boxwright.operation.options import option

RPMFUSION_URL = "https://mirrors.rpmfusion.org"
PATH = re.compile(r"(?P<kind>[^/]+)/(?P<system>[^/]+)/(?P<package>[^/]+)-(?P<of>\d+)\.noarch\.rpm")
# the distribution's own copies of others' keys, from its package distribution-gpg-keys
KEYS = "/usr/share/distribution-gpg-keys/rpmfusion"


@dataclass(frozen=True)
class ReleasePackage:
    """One of them: its name, where it is, and the file on the host with the key that signed it."""

    package: str
    url: str
    key: str


def rpmfusion_releases(prerequisites: Sequence[str]) -> tuple[ReleasePackage, ...]:
    """Those that a driver's plan names by their path below RPM Fusion's address."""
    base = str(option("driver_rpmfusion_url", RPMFUSION_URL)).rstrip("/")
    return tuple(
        ReleasePackage(
            package=found["package"],
            url=f"{base}/{path}",
            key=f"{KEYS}/RPM-GPG-KEY-rpmfusion-{found['kind']}-{found['system']}-{found['of']}",
        )
        for path in prerequisites
        if (found := PATH.fullmatch(path)) is not None
    )

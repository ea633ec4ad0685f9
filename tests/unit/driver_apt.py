"""What apt has of a driver, and what a command of apt names."""

from __future__ import annotations

from boxwright.operation.apt import Candidates
from tests.unit.driver_hosts import NEWEST
from tests.unit.role_host import RoleHost

HEADERS = ("linux-headers-6.12.48+deb13-amd64", "linux-headers-amd64")
DRIVER = ("nvidia-driver-cuda", "nvidia-kernel-open-dkms", "nvidia-persistenced")


def candidates(**versions: str) -> dict[str, str]:
    """Packages of the newest branch and headers by version, with others or other versions."""
    known = {name: NEWEST for name in DRIVER} | {name: "6.12.48-1" for name in HEADERS}
    return known | {name.replace("_", "-"): version for name, version in versions.items()}


def offering(host: RoleHost, **versions: str) -> RoleHost:
    """The host, whose apt offers these."""
    host.facts[Candidates] = lambda names, options: {
        name: version for name, version in candidates(**versions).items() if name in names
    }
    return host


def names_in(command: str) -> set[str]:
    """The words of an apt-get command that are packages here."""
    return {word for word in command.replace("'", " ").split() if word in {*DRIVER, *HEADERS}}

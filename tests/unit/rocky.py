"""Rocky 9 with a Pascal card for tests of the driver role, and dnf's commands word by word."""

from __future__ import annotations

from typing import Any

from boxwright.operation import Package
from boxwright.operation.dnf import Locks, RpmCandidates
from boxwright.operation.dnf_repositories import EnabledRepositories
from roles.driver.rpm import EnabledStream
from tests.unit.driver_hosts import on
from tests.unit.plans import PASCAL, ROCKY_9
from tests.unit.role_host import RoleHost

V580, V595 = "3:580.178.04-1.el9", "3:595.58.03-1.el9"
PLUGINS = ("epel-release", "dnf-plugins-core", "python3-dnf-plugin-versionlock")
DRIVER = ("nvidia-driver-cuda", "kmod-nvidia-latest-dkms", "nvidia-persistenced")
HEADERS = (
    "kernel-devel-5.14.0-570.17.1.el9_6.x86_64",
    "kernel-devel-matched-5.14.0-570.17.1.el9_6.x86_64",
)


def rocky(**data: Any) -> RoleHost:
    """Rocky 9 with a Pascal card, all sources there, nothing of the driver yet."""
    host = on(ROCKY_9, PASCAL, **data)
    host.install(*PLUGINS, version="1")
    host.facts |= {
        EnabledRepositories: ("appstream", "baseos", "crb", "epel"),
        EnabledStream: "580-dkms",
        Locks: tuple((name, V580) for name in DRIVER),
        RpmCandidates: lambda names, options: (
            {name: "5.14.0-1" for name in HEADERS} | {name: V580 for name in DRIVER}
        ),
    }
    return rehearsing(host)


def rehearsing(host: RoleHost) -> RoleHost:
    """The host, on which dnf says of every transaction that it would remove nothing else."""
    host.answers["--downloadonly"] = ("Transaction Summary", "=====", "Install  5 Packages")
    host.answers["--assumeno"] = ("Removing:", " old  noarch  1-1  @own  0  ", "",
                                  "Transaction Summary", "Remove  1 Package")  # fmt: skip
    return host


def have(host: RoleHost, version: str, *names: str, held: bool = False) -> None:
    """Let these packages be installed."""
    for name in names:
        host.packages[name] = Package(name, version, held, "installed", name)


def words(command: str) -> list[str]:
    """The words of the dnf command inside the patient script."""
    line = next(one for one in command.split("\n") if one.startswith("while "))
    return line.replace("'\"'\"'", "").split("said=$({ ")[1].split(" ; } 2>&1)")[0].split()

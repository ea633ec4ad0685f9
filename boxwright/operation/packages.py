"""Packages on a host of either family: roles call these, the distribution's row says apt or dnf."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.context import host

from boxwright import catalog
from boxwright.operation.apt import APT
from boxwright.operation.dnf import DNF_MANAGER
from boxwright.operation.manager import Manager, Package, quoted
from boxwright.operation.planning import machine_of_host
from boxwright.operation.step import Commands
from boxwright.plan.results import Refusal

MANAGERS = {manager.name: manager for manager in (APT, DNF_MANAGER)}


def manager_of_host() -> Manager:
    """The package manager of this host's distribution, by its row in the catalog."""
    system = machine_of_host().os
    row = catalog.load().distribution(system.id, system.version_id)
    return MANAGERS[row.manager if row is not None else APT.name]


def installed_packages(patterns: Sequence[str]) -> dict[str, Package]:
    """Fully installed packages that match, by name, or by full name where that was asked for."""
    if not patterns:
        return {}
    found = host.get_fact(manager_of_host().present, patterns=list(patterns))
    whole = [package for package in found if package.installed]
    by_full_name = {one.full_name: one for one in whole if one.full_name in patterns}
    return {one.name: one for one in whole} | by_full_name


def available_packages(specs: Sequence[str], options: str = "") -> dict[str, str]:
    """The versions that would be installed, by name; what no source has is absent.

    `options` are words of the manager's that change which sources it sees.
    """
    if not specs:
        return {}
    return host.get_fact(manager_of_host().available, names=list(specs), options=options)


def update_lists(options: str = "") -> Commands:
    """Fetch the package lists; an unreachable or wrongly signed source is an error, no warning."""
    manager = manager_of_host()
    yield from manager.patiently(
        f"{manager.update} {options}".rstrip(),
        Refusal(
            f"{manager.tool} could not fetch the lists of packages, and some are missing here",
            "correct the sources of packages, the proxy_url option or the network of this host",
        ),
    )


def install_packages(names: Sequence[str]) -> Commands:
    """Install what is missing of these packages without recommends; nothing if nothing is.

    A name may be whatever the manager installs by: with dnf also a file or a capability.
    """
    manager = manager_of_host()
    missing = host.get_fact(manager.missing, names=list(names)) if names else ()
    if not missing:
        return
    yield from update_lists()
    yield from manager.patiently(
        f"{manager.install} {quoted(missing)}",
        Refusal(
            f"{manager.tool} could not install {' '.join(missing)}",
            "make these packages available in the package sources of this host, then run again",
        ),
    )

"""Packages in order: the settings, what was interrupted finished, what later roles call."""

from __future__ import annotations

from boxwright.operation import (
    Commands,
    absent,
    install_packages,
    manager_of_host,
    noop,
    operation,
    option,
    refuse,
    rendered,
    written_private,
)
from boxwright.operation import apt as apt_family
from boxwright.operation import dnf as dnf_family
from boxwright.plan.results import Refusal
from roles.base.unfinished import finish, unfinished

SETTINGS = "/etc/apt/apt.conf.d/95boxwright"
# By package manager: certificates; downloads and asking the server; who listens on a port; what a
# kernel module on the disk is; llama.cpp's threads; sysctl; archives (dpkg brings tar itself). curl
# is asked for by its file, since curl-minimal would have to go for the package of that name.
PACKAGES = {
    "apt": ("ca-certificates", "curl", "iproute2", "kmod", "libgomp1", "procps"),
    "dnf": ("ca-certificates", "/usr/bin/curl", "iproute", "kmod", "libgomp", "procps-ng", "tar"),
}


@operation
def set_manager() -> Commands:
    """Let apt wait for dpkg's lock: a fresh Ubuntu upgrades itself in the background."""
    if manager_of_host().name != "apt":
        noop("dnf is told with each call")
        return
    timeout_s = int(option("base_package_lock_timeout_s", 600))
    yield from rendered(SETTINGS, lock_timeout_s=timeout_s)


@operation
def set_proxy() -> Commands:
    """Give the proxy option, which may hold a password; without one our file goes away."""
    if manager_of_host().name == "dnf":
        path, settings = dnf_family.PROXY_FILE, dnf_family.proxy_environment()
    else:
        path, settings = apt_family.PROXY_FILE, apt_family.proxy_settings()
    if isinstance(settings, Refusal):
        yield from refuse(settings)
    elif settings:
        yield from written_private(path, settings, mode="600")
    else:
        yield from absent(path)


@operation
def finish_packages() -> Commands:
    """Finish what a run, an upgrade or a power cut left half installed; apt refuses until then."""
    manager = manager_of_host()
    left = unfinished(manager)
    if not left:
        noop("every package is whole")
        return
    cure = (
        f"repair it ({manager.repair}), or take away what cannot be repaired"
        f" ({manager.tool} remove NAME), then run again"
    )
    yield from finish(manager, left, cure)
    left = unfinished(manager)
    if left:
        yield from refuse(Refusal(f"these packages stay unfinished: {', '.join(left)}", cure))


@operation
def have_packages() -> Commands:
    """Have the packages that later roles call; the lists are fetched only if one is missing."""
    yield from install_packages(PACKAGES[manager_of_host().name])

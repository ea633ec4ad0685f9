"""Packages in order: apt's settings, an interrupted dpkg finished, and what later roles call."""

from __future__ import annotations

from pyinfra.api import FactBase
from pyinfra.context import host

from boxwright.operation import (
    Commands,
    absent,
    install_packages,
    installed_packages,
    noop,
    operation,
    option,
    patiently,
    proxy_settings,
    refuse,
    rendered,
    written_private,
)
from boxwright.operation.apt import KEEP_SETTINGS, PROXY_FILE
from boxwright.plan.results import Refusal

SETTINGS = "/etc/apt/apt.conf.d/95boxwright"
PACKAGES = (
    "ca-certificates",
    "curl",  # downloads, and asking the server
    "iproute2",  # who listens on a port
    "kmod",  # what a kernel module on the disk is
    "libgomp1",  # llama.cpp's threads
    "procps",  # sysctl
)


class UnfinishedPackages(FactBase[tuple[str, ...]]):
    """What an interrupted dpkg or apt left: package names, "(journal)", "(dependencies)"."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """Nothing is left to do."""
        return ()

    def command(self) -> str:
        """Ask dpkg for packages between two states, and apt for broken dependencies."""
        return (
            r"""dpkg-query -W -f '${db:Status-Abbrev}\t${Package}\n' |"""
            r""" sed -n -e 's/^.[HUFWt]..*\t//p' -e 's/^..R.*\t//p';"""
            r""" for entry in /var/lib/dpkg/updates/[0-9]*; do"""
            r""" ! test -e "$entry" || { echo '(journal)'; break; }; done;"""
            r""" apt-get check -qq -o Debug::NoLocking=1 >/dev/null 2>&1 || echo '(dependencies)'"""
        )

    def process(self, output: list[str]) -> tuple[str, ...]:
        """The names as they come."""
        return tuple(line.strip() for line in output if line.strip())


@operation
def set_apt() -> Commands:
    """Let apt wait for dpkg's lock: a fresh Ubuntu upgrades itself in the background."""
    timeout_s = int(option("base_apt_lock_timeout_s", 600))
    yield from rendered(SETTINGS, lock_timeout_s=timeout_s)


@operation
def set_proxy() -> Commands:
    """Give apt the proxy option, which may hold a password; without one our file goes away."""
    settings = proxy_settings()
    if isinstance(settings, Refusal):
        yield from refuse(settings)
    elif settings:
        yield from written_private(PROXY_FILE, settings, mode="600")
    else:
        yield from absent(PROXY_FILE)


@operation
def finish_packages() -> Commands:
    """Finish what a run, an upgrade or a power cut left half installed; apt refuses until then."""
    unfinished = host.get_fact(UnfinishedPackages)
    if not unfinished:
        noop("every package is whole")
        return
    cure = "repair it (apt-get -f install; dpkg --configure -a), then run again"
    named = ", ".join(unfinished)
    # what still lacks a dependency fails here and is mended by the second command
    yield patiently(
        "dpkg --configure -a --force-confdef --force-confold || true",
        Refusal(f"dpkg is held by another process while these are unfinished: {named}", cure),
    )
    yield patiently(
        f"apt-get -f install -y {KEEP_SETTINGS}",
        Refusal(f"apt-get -f install could not finish these: {named}", cure),
    )
    left = host.get_fact(UnfinishedPackages)
    if left:
        yield from refuse(Refusal(f"these packages stay unfinished: {', '.join(left)}", cure))


@operation
def have_packages() -> Commands:
    """Have the packages that later roles call; the lists are fetched only if one is missing."""
    if len(installed_packages(PACKAGES)) == len(PACKAGES):
        noop("they are there")
        return
    yield from install_packages(PACKAGES)

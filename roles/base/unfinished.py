"""What a run, an upgrade or a power cut left half installed, and how each family finishes it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from pyinfra.api import FactBase
from pyinfra.context import host

from boxwright.operation import Commands, Manager
from boxwright.operation.apt import KEEP_SETTINGS, QUIET
from boxwright.plan.results import Refusal


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


class DoubledRpms(FactBase[tuple[str, ...]]):
    """Older versions, by full name, that an interrupted dnf left beside the newer ones."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """Each package is there once."""
        return ()

    def command(self) -> str:
        """Each package in the order of installation; kernels and keys may be there many times."""
        row = (
            r"%{INSTALLTIME}\t%{NAME}.%{ARCH}\t%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}"
            r"\t[%{PROVIDENAME} ]\n"
        )
        return (
            f"found=$(rpm -qa --queryformat '{row}') || exit 1; printf '%s\\n' \"$found\" |"
            " grep -v -e 'installonlypkg(' -e 'gpg-pubkey' | sort -n | cut -f 2,3"
        )

    def process(self, output: list[str]) -> tuple[str, ...]:
        """Of each name and architecture all but the one installed last."""
        return tuple(_older(output))


def _older(rows: list[str]) -> Iterator[str]:
    newest: dict[str, str] = {}
    for name, _, full_name in (row.partition("\t") for row in rows):
        if name in newest:
            yield newest[name]
        newest[name] = full_name


def unfinished(manager: Manager) -> tuple[str, ...]:
    """What is half installed now."""
    return host.get_fact(DoubledRpms if manager.name == "dnf" else UnfinishedPackages)


def finish(manager: Manager, left: tuple[str, ...], cure: str) -> Commands:
    """The family's own way to finish what `unfinished` found."""
    named = ", ".join(left)
    if manager.name == "dnf":
        # the transaction itself would have erased them next; dnf would take what needs them along
        yield from manager.patiently(
            f"rpm -e --nodeps {shlex.join(left)}",
            Refusal(f"rpm could not erase what an interrupted upgrade left: {named}", cure),
        )
        return
    # what still lacks a dependency fails here and is mended by the second command
    yield from manager.patiently(
        f"{QUIET} dpkg --configure -a --force-confdef --force-confold || true",
        Refusal(f"dpkg is held by another process while these are unfinished: {named}", cure),
    )
    yield from manager.patiently(
        f"{QUIET} apt-get -f install -y {KEEP_SETTINGS}",
        Refusal(f"apt-get -f install could not finish these: {named}", cure),
    )

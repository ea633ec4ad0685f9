"""What a run, an upgrade or a power cut left half installed, and how each family finishes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from pyinfra.api import FactBase
from pyinfra.context import host

from boxwright.operation import Commands, Lines, Manager, refuse
from boxwright.operation.apt import KEEP_SETTINGS, QUIET, removals_in
from boxwright.plan.results import Refusal

ENDED = re.compile(r"\s*(Return-Code|Status)\s*:")
CUT_SHORT = re.compile(r":\s*(\*\*\s*Aborted|Failure|Started|Error)\b")
EPOCH = re.compile(r"-\d+:(?=[^:]*$)")
# rpm's lock is one of fcntl's, which the kernel lists by inode
UNLOCKED = """\
for lock in /usr/lib/sysimage/rpm/.rpm.lock /var/lib/rpm/.rpm.lock; do
  inode=$(stat -Lc %i "$lock" 2>/dev/null) && grep -q ":$inode " /proc/locks || continue
  echo "can't create transaction lock on $lock"; exit 1
done"""


class UnfinishedPackages(Lines):
    """What an interrupted dpkg or apt left: package names, "(journal)", "(dependencies)"."""

    def command(self) -> str:
        """Ask dpkg for packages between two states, and apt for broken dependencies."""
        return (
            r"""dpkg-query -W -f '${db:Status-Abbrev}\t${Package}\n' |"""
            r""" sed -n -e 's/^.[HUFWt]..*\t//p' -e 's/^..R.*\t//p';"""
            r""" for entry in /var/lib/dpkg/updates/[0-9]*; do"""
            r""" ! test -e "$entry" || { echo '(journal)'; break; }; done;"""
            r""" apt-get check -qq -o Debug::NoLocking=1 >/dev/null 2>&1 || echo '(dependencies)'"""
        )


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


class CutShort(FactBase[tuple[str, ...]]):
    """Full names in dnf's newest transaction, if that did not come to its end; else none."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """Nothing was cut short."""
        return ()

    def command(self) -> str:
        """dnf's own history, which asks no server; dnf4 and dnf5 word it differently."""
        return "LC_ALL=C dnf -q history info last 2>/dev/null || true"

    def process(self, output: list[str]) -> tuple[str, ...]:
        """Every word that is a package's full name, without its epoch, as rpm names it."""
        ends = [line for line in output if ENDED.match(line)]
        if not any(CUT_SHORT.search(line) for line in ends):  # also of a word not known here
            return ()
        names = (word for line in output for word in line.split() if word.count("-") >= 2)
        return tuple(EPOCH.sub("-", name) for name in names)


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
    """The family's own way to finish what `unfinished` found; nothing of the user's is removed."""
    yield from (_finish_rpm if manager.name == "dnf" else _finish_dpkg)(manager, left, cure)


def _finish_rpm(manager: Manager, left: tuple[str, ...], cure: str) -> Commands:
    """Erase the older of two versions where the last transaction was to do so and was cut short."""
    yield from manager.patiently(
        UNLOCKED,
        Refusal(f"another process changes packages while these are doubled: {_named(left)}", cure),
    )
    left = host.get_fact(DoubledRpms)  # it may have been a transaction that was running
    begun = host.get_fact(CutShort)
    others = [name for name in left if name not in begun]
    if others:
        yield from refuse(
            Refusal(
                f"two versions are installed of {_named(others)}, which no transaction that was"
                " cut short explains, so they may be meant to be there",
                "take away the one that is not needed (dnf check --duplicates shows them; rpm -e"
                " NAME-VERSION), then run again",
            )
        )
        return
    if left:
        # the transaction itself would have erased them next; dnf would take what needs them along
        yield from manager.patiently(
            f"rpm -e --nodeps {shlex.join(left)}",
            Refusal(f"rpm could not erase what an interrupted upgrade left: {_named(left)}", cure),
        )


def _finish_dpkg(manager: Manager, left: tuple[str, ...], cure: str) -> Commands:
    # what still lacks a dependency fails here and is mended by what follows
    yield from manager.patiently(
        f"{QUIET} dpkg --configure -a --force-confdef --force-confold",
        Refusal(
            f"dpkg is held by another process while these are unfinished: {_named(left)}", cure
        ),
        only_locks=True,
    )
    failed = Refusal(f"apt-get -f install could not finish these: {_named(left)}", cure)
    said = yield from manager.patiently(f"{QUIET} apt-get -s -f install", failed)
    gone = removals_in(said)
    if gone:
        yield from refuse(
            Refusal(
                f"to finish {_named(left)} apt-get would remove {_named(gone)}",
                f"remove {_named(gone)} yourself if it is not needed, or install what it lacks"
                " (apt-get -f install shows it), then run again",
            )
        )
        return
    yield from manager.patiently(f"{QUIET} apt-get -f install -y {KEEP_SETTINGS}", failed)


def _named(names: Sequence[str]) -> str:
    return ", ".join(names)

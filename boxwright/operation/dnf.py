"""dnf and rpm as roles need them: what is installed or locked, what could be, their commands.

Tried with dnf 4.23 and rpm 4.20; what is said of dnf5 rests on its manual pages.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from pyinfra.api import FactBase, QuoteString, StringCommand

from boxwright.operation.apt import NO_PROXY_URL, PROXY_URL
from boxwright.operation.dnf_table import removals_in
from boxwright.operation.files import rendered_text
from boxwright.operation.lines import Lines
from boxwright.operation.manager import Change, Manager, Package
from boxwright.operation.options import endpoints_for_host
from boxwright.plan.results import Refusal

# dnf's own `proxy` knows no exceptions, and its file is one that everybody reads: the proxy is
# given in the environment, which its downloader obeys.
PROXY_FILE = "/etc/dnf/boxwright-proxy.env"
LOCK_LISTS = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml")  # dnf4's, dnf5's
# with exit_on_lock dnf4 says that it is busy instead of waiting without end
DNF = "dnf -y --setopt=exit_on_lock=True"
NO_WEAK = "--setopt=install_weak_deps=False"
INSTALL = f"{DNF} {NO_WEAK} install"
# to say no is a failure to dnf
DECLINED = """\
told=$({} 2>&1) && code=0 || code=$?; printf '%s\\n' "$told"
case $told in *'Operation aborted'*) ;; *) (exit $code) ;; esac"""
NEVR = re.compile(r"!?(?P<name>\S+)-(?P<evr>(?:\d+:)?[^-\s]+-[^-\s]+?)(?:\.\*)?")
TOML_PAIR = re.compile(r"\s*(?P<key>name|comparator|value)\s*=\s*[\"'](?P<value>[^\"']+)[\"']")
ROW = r"%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\n"


def proxy_environment() -> str | Refusal:
    """The proxy options as a file the shell reads; empty without a proxy; may hold a password."""
    endpoints = endpoints_for_host()
    if endpoints.proxy_url is None:
        return ""
    if not PROXY_URL.fullmatch(endpoints.proxy_url):
        return NO_PROXY_URL
    return rendered_text(
        PROXY_FILE,
        proxy_url=shlex.quote(endpoints.proxy_url),
        exceptions=shlex.quote(endpoints.proxy_exceptions.replace(" ", "")),
    )


def locks_in(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and versions (epoch included) in the lists that `dnf versionlock` keeps."""
    name, comparator = "", "="
    for line in lines:
        pair = TOML_PAIR.match(line)
        if pair is None:
            entry = NEVR.fullmatch(line.strip())
            if entry is not None and not line.startswith("!"):
                yield entry["name"], entry["evr"]
        elif pair["key"] == "name":
            name, comparator = pair["value"], "="
        elif pair["key"] == "comparator":
            comparator = pair["value"]
        elif name and comparator == "=":  # what may be newer is not kept in place
            yield name, pair["value"]


class Locks(FactBase[tuple[tuple[str, str], ...]]):
    """What `dnf versionlock` keeps in place: names and versions."""

    @staticmethod
    def default() -> tuple[tuple[str, str], ...]:
        """Nothing is locked."""
        return ()

    def command(self) -> str:
        """Both generations' lists, as far as they are there."""
        return f"sed '' {' '.join(LOCK_LISTS)} 2>/dev/null || true"

    def process(self, output: list[str]) -> tuple[tuple[str, str], ...]:
        """Read the entries."""
        return tuple(locks_in(output))


class Rpms(FactBase[tuple[Package, ...]]):
    """Installed packages matching names, shell patterns or full names; held are those locked."""

    @staticmethod
    def default() -> tuple[Package, ...]:
        """None known."""
        return ()

    def command(self, patterns: Sequence[str]) -> StringCommand:
        """rpm -qa knows patterns of names only, rpm -q full names too; then the lock lists."""
        words = [QuoteString(pattern) for pattern in patterns]
        row = QuoteString(ROW)
        return StringCommand(
            "found=$(rpm -qa --queryformat", row, *words, ") || exit 1;",
            "{ printf '%s\\n' \"$found\"; rpm -q --queryformat", row, *words,
            "2>/dev/null; } | grep \"$(printf '\\t')\" | sort -u;",
            f"sed 's/^/lock\\t/' {' '.join(LOCK_LISTS)} 2>/dev/null || true",
        )  # fmt: skip

    def process(self, output: list[str]) -> tuple[Package, ...]:
        """Rows of name, version and full name, then the locks."""
        rows = [line.split("\t") for line in output]
        locks = set(locks_in(["\t".join(row[1:]) for row in rows if row[0] == "lock"]))
        bare = {(name, evr.removeprefix("0:")) for name, evr in locks}
        return tuple(
            Package(row[0], row[1], (row[0], row[1]) in bare, "installed", row[2])
            for row in rows
            if len(row) == 3 and row[0] != "lock"
        )


class RpmCandidates(FactBase[dict[str, str]]):
    """The newest version of each package that dnf's repositories have, by name and full name."""

    @staticmethod
    def default() -> dict[str, str]:
        """None known."""
        return {}

    def command(self, names: Sequence[str], options: str = "") -> StringCommand:
        """One query; a locked version is seen like any other (dnf-versionlock's manual)."""
        row = r"%{name}\t%{evr}\t%{name}-%{version}-%{release}.%{arch}\n"
        return StringCommand(
            f"set -a; test ! -f {PROXY_FILE} || . {PROXY_FILE};",
            f"LC_ALL=C dnf -q {options} repoquery --latest-limit=1 --arch=x86_64,noarch",
            "--queryformat", QuoteString(row), *(QuoteString(name) for name in names),
        )  # fmt: skip

    def process(self, output: list[str]) -> dict[str, str]:
        """Rows of name, version and full name."""
        rows = [line.split("\t") for line in output if line.count("\t") == 2]
        return {key: row[1] for row in rows for key in (row[0], row[2].strip())}


class Unprovided(Lines):
    """Those of some names, files or capabilities that no installed package provides."""

    def command(self, names: Sequence[str]) -> StringCommand:
        """One question each, since curl may come as curl-minimal."""
        return StringCommand(
            "for name in", *(QuoteString(name) for name in names),
            '; do rpm -q --quiet --whatprovides "$name" >/dev/null 2>&1 || echo "$name"; done',
        )  # fmt: skip


def change(new: Sequence[str], old: Sequence[str]) -> Change:
    """New packages in place of what cannot stay beside them, or, without any, old ones out.

    What a package brought with it stays, since others may have come to need it. A rehearsal of new
    ones also fetches them.
    """
    if new:
        install, names = f"{DNF} {NO_WEAK} --allowerasing", f"install {shlex.join(new)}"
        return Change(f"{install} {names}", f"{install} --downloadonly {names}")
    options = f"--setopt=clean_requirements_on_remove=False remove {shlex.join(old)}"
    return Change(
        f"{DNF} {options}", DECLINED.format(f"{DNF.replace(' -y', ' --assumeno')} {options}")
    )


DNF_MANAGER = Manager(
    name="dnf",
    tool="dnf",
    update=f"{DNF} makecache --refresh",
    install=INSTALL,
    change=change,
    removals=removals_in,
    hold=f"{DNF} versionlock add",
    tidy="dnf remove --oldinstallonly",
    repair="dnf check",
    busy=(
        "already locked by", "t create transaction lock", "Failed to obtain rpm transaction lock",
    ),
    present=Rpms,
    available=RpmCandidates,
    missing=Unprovided,
    preamble=f"set -a; test ! -f {PROXY_FILE} || . {PROXY_FILE}",
    exact_spec="{name}-{version}",
)  # fmt: skip

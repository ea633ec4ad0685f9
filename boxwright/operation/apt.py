"""apt and dpkg as roles need them: what is installed, what could be, and their commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError

from boxwright.operation.files import rendered_text
from boxwright.operation.lines import Lines
from boxwright.operation.manager import Change, Manager, Package
from boxwright.operation.options import endpoints_for_host
from boxwright.plan.results import Refusal

QUIET = "DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1"
KEEP_SETTINGS = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
INSTALL = f"{QUIET} apt-get install -y --no-install-recommends {KEEP_SETTINGS}"
PROXY_FILE = "/etc/apt/apt.conf.d/95boxwright-proxy"
PROXY_URL = re.compile(r"https?://[^\s\"]+")
EXCEPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")  # apt knows whole names only


def proxy_settings() -> str | Refusal:
    """The proxy options as a file of apt's settings; empty without a proxy; may hold a password."""
    endpoints = endpoints_for_host()
    if endpoints.proxy_url is None:
        return ""
    if not PROXY_URL.fullmatch(endpoints.proxy_url):
        return NO_PROXY_URL
    names = [name.strip() for name in endpoints.proxy_exceptions.split(",")]
    direct = [name for name in names if EXCEPTION.fullmatch(name)]
    return rendered_text(PROXY_FILE, proxy_url=endpoints.proxy_url, direct=direct)


NO_PROXY_URL = Refusal(
    "proxy_url is no URL that begins with http:// or https://",
    "correct proxy_url, such as http://proxy.lan:3128",
)


def removals_in(lines: Sequence[str]) -> tuple[str, ...]:
    """The packages that a simulated transaction of apt's would remove or purge."""
    words = [line.split() for line in lines]
    return tuple(row[1] for row in words if len(row) > 1 and row[0] in ("Remv", "Purg"))


class Packages(FactBase[tuple[Package, ...]]):
    """Packages matching names or shell patterns that dpkg has any files or settings of.

    Those of another architecture (`libnvidia-compute-580:i386`) keep it in their name.
    """

    @staticmethod
    def default() -> tuple[Package, ...]:
        """None known."""
        return ()

    def command(self, patterns: Sequence[str]) -> StringCommand:
        """One dpkg-query; its exit code 1 only says that some pattern matched nothing."""
        fields = r"${binary:Package}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\n"
        return StringCommand(
            "dpkg --print-architecture;", "dpkg-query", "-W", "-f", QuoteString(fields),
            *(QuoteString(pattern) for pattern in patterns),
            "2>/dev/null;", "test", "$?", "-le", "1",
        )  # fmt: skip

    def process(self, output: list[str]) -> tuple[Package, ...]:
        """This host's architecture, then rows of name, version, want, status.

        Names without any state are left out. dpkg names the architecture also of packages that
        may be there in several.
        """
        native, *listed = [line for line in output if line.strip()] or [""]
        rows = [line.split("\t") for line in listed]
        if any(len(row) != 4 for row in rows):
            raise FactProcessError(f"dpkg-query answered {output[0]!r}")
        return tuple(
            Package(name.removesuffix(f":{native}"), version, want == "hold", status)
            for name, version, want, status in rows
            if status != "not-installed"
        )


class Candidates(FactBase[dict[str, str]]):
    """The version apt would install of each package, by name; those it does not know are absent."""

    @staticmethod
    def default() -> dict[str, str]:
        """None known."""
        return {}

    def command(self, names: Sequence[str], options: str = "") -> StringCommand:
        """One apt-cache policy for all."""
        words = (QuoteString(name) for name in names)
        return StringCommand(f"LC_ALL=C apt-cache {options} policy", *words)

    def process(self, output: list[str]) -> dict[str, str]:
        """Read `NAME:` blocks with their `Candidate:` line."""
        found: dict[str, str] = {}
        name = ""
        for line in output:
            if line and not line.startswith(" "):
                name = line.removesuffix(":")
            elif line.strip().startswith("Candidate:"):
                version = line.split(":", 1)[1].strip()
                if version != "(none)":
                    found[name] = version
        return found


def change(new: Sequence[str], old: Sequence[str]) -> Change:
    """New packages in, old ones out with their settings, in one transaction of apt's."""
    words = " ".join(shlex.quote(word) for word in (*new, *(f"{name}-" for name in old)))
    allowed = "--purge --allow-downgrades --allow-change-held-packages"
    return Change(
        f"{INSTALL} {allowed} {words}",
        f"{QUIET} apt-get -s install --no-install-recommends {allowed} {words}",
    )


class Missing(Lines):
    """Those of some packages that are not wholly installed."""

    def command(self, names: Sequence[str]) -> StringCommand:
        """dpkg's status of each."""
        return StringCommand(
            "for name in", *(QuoteString(name) for name in names),
            "; do dpkg-query -W -f '${db:Status-Status}\\n' \"$name\" 2>/dev/null |",
            'grep -qx installed || echo "$name"; done',
        )  # fmt: skip


APT = Manager(
    name="apt",
    tool="apt-get",
    # without --error-on=any apt exits 0 and keeps the old index (reference/lab.md, 5)
    update=f"{QUIET} apt-get update --error-on=any",
    install=INSTALL,
    change=change,
    removals=removals_in,
    hold="apt-mark hold",
    tidy="apt-get autoremove --purge",
    repair="apt-get -f install; dpkg --configure -a",
    busy=(
        "Could not get lock", "lock was locked by another process", "Unable to acquire the dpkg",
    ),
    present=Packages,
    available=Candidates,
    missing=Missing,
)  # fmt: skip

"""Debian packages as roles need them: what dpkg holds, and one patient way to run apt and dpkg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import host

from boxwright.operation.files import rendered_text
from boxwright.operation.options import endpoints_for_host, option
from boxwright.operation.step import Commands, attempt
from boxwright.plan.results import Refusal

LOCK_TIMEOUT_S = 600
ENVIRONMENT = "env LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1"
KEEP_SETTINGS = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"

# apt waits for dpkg's lock only; its list and archive locks, and dpkg's own, fail at once when a
# killed run's apt or unattended-upgrades still holds them.
_PATIENTLY = """\
deadline=$(( $(date +%s) + {timeout_s} ))
while ! said=$({command} 2>&1); do
  case $said in
    *"Could not get lock"*|*"lock was locked by another process"*|*"Unable to acquire the dpkg"*) ;;
    *) printf '%s\\n' "$said" | tail -n 25 >&2; exit 1 ;;
  esac
  [ "$(date +%s)" -lt $deadline ] || {{ printf '%s\\n' "$said" | tail -n 3 >&2; exit 1; }}
  sleep 2
done"""


PROXY_FILE = "/etc/apt/apt.conf.d/95boxwright-proxy"
PROXY_URL = re.compile(r"https?://[^\s\"]+")
EXCEPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")  # apt knows whole names only


def proxy_settings() -> str | Refusal:
    """The proxy options as a file of apt's settings; empty without a proxy; may hold a password."""
    endpoints = endpoints_for_host()
    if endpoints.proxy_url is None:
        return ""
    if not PROXY_URL.fullmatch(endpoints.proxy_url):
        return Refusal(
            "proxy_url is no URL that begins with http:// or https://",
            "correct proxy_url, such as http://proxy.lan:3128",
        )
    names = [name.strip() for name in endpoints.proxy_exceptions.split(",")]
    direct = [name for name in names if EXCEPTION.fullmatch(name)]
    return rendered_text(PROXY_FILE, proxy_url=endpoints.proxy_url, direct=direct)


@dataclass(frozen=True)
class Package:
    """One package as dpkg knows it; `status` is dpkg's word, "installed" when all is well."""

    name: str
    version: str
    held: bool
    status: str

    @property
    def installed(self) -> bool:
        """Unpacked and configured."""
        return self.status == "installed"

    def to_json(self) -> dict[str, object]:
        """Plain JSON types, for `pyinfra … fact`."""
        return asdict(self)


class Packages(FactBase[tuple[Package, ...]]):
    """Packages matching names or shell patterns that dpkg has any files or settings of."""

    @staticmethod
    def default() -> tuple[Package, ...]:
        """None known."""
        return ()

    def command(self, patterns: Sequence[str]) -> StringCommand:
        """One dpkg-query; its exit code 1 only says that some pattern matched nothing."""
        fields = r"${Package}\t${Version}\t${db:Status-Want}\t${db:Status-Status}\n"
        return StringCommand(
            "dpkg-query", "-W", "-f", QuoteString(fields), *(QuoteString(p) for p in patterns),
            "2>/dev/null;", "test", "$?", "-le", "1",
        )  # fmt: skip

    def process(self, output: list[str]) -> tuple[Package, ...]:
        """Rows of name, version, want, status; names without any state are left out."""
        rows = [line.split("\t") for line in output if line.strip()]
        if any(len(row) != 4 for row in rows):
            raise FactProcessError(f"dpkg-query answered {output[0]!r}")
        return tuple(
            Package(name, version, want == "hold", status)
            for name, version, want, status in rows
            if status != "not-installed"
        )


def installed_packages(patterns: Sequence[str]) -> dict[str, Package]:
    """Fully installed packages by name, of those that match; asks the host now."""
    if not patterns:
        return {}
    found = host.get_fact(Packages, patterns=list(patterns))
    return {package.name: package for package in found if package.installed}


def patiently(command: str, refusal: Refusal) -> PyinfraCommand:
    """Run an apt or dpkg command, waiting while another process holds a lock of theirs.

    The wait is bounded by the option `base_apt_lock_timeout_s`. On failure the last lines of what
    it said are shown, then the refusal.
    """
    timeout_s = int(option("base_apt_lock_timeout_s", LOCK_TIMEOUT_S))
    script = _PATIENTLY.format(timeout_s=timeout_s, command=f"{ENVIRONMENT} {command}")
    return attempt(StringCommand("sh", "-c", QuoteString(script)), refusal)


def update_lists() -> Commands:
    """Fetch the package lists; an unreachable or wrongly signed source is an error, not a warning.

    Without `--error-on=any` apt exits 0 and keeps the old index (reference/lab.md, 5).
    """
    yield patiently(
        "apt-get update --error-on=any",
        Refusal(
            "apt-get update failed, its last lines are above, and packages are missing here",
            "correct the apt sources, the proxy_url option or the network of this host",
        ),
    )


def install_packages(names: Sequence[str], flags: str = "") -> Commands:
    """Install what is missing of these packages without recommends; nothing if nothing is."""
    missing = [name for name in names if name not in installed_packages(names)]
    if not missing:
        return
    yield from update_lists()
    command = f"apt-get install -y --no-install-recommends {KEEP_SETTINGS} {flags}"
    yield patiently(
        f"{command} {' '.join(missing)}",
        Refusal(
            f"apt-get could not install {' '.join(missing)}, its last lines are above",
            "make these packages available in the apt sources of this host, then run again",
        ),
    )

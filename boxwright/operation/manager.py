"""What roles need of a package manager: its commands and facts, and one patient way to run it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass

from pyinfra.api import FactBase, QuoteString
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.operation.ask import Ask
from boxwright.operation.complaint import complaint_in
from boxwright.operation.options import option
from boxwright.operation.step import refuse, shown
from boxwright.plan.results import Refusal

LOCK_TIMEOUT_S = 600
SHOWN_LINES = 12

# Locks that a killed run's process or an automatic upgrade still holds make some commands fail at
# once and others wait without end; here every one waits, as long as the option says.
_PATIENTLY = """\
export LC_ALL=C
{preamble}
deadline=$(( $(date +%s) + {timeout_s} ))
while ! said=$({{ {command} ; }} 2>&1); do
  case $said in
    {busy}) ;;
    *) printf '%s\\n' "$said" | tail -n 60 >&2; exit 1 ;;
  esac
  [ "$(date +%s)" -lt $deadline ] || {{ printf '%s\\n' "$said" | tail -n 3 >&2; exit 1; }}
  sleep 2
done
printf '%s\\n' "$said"
"""


@dataclass(frozen=True)
class Package:
    """One package as the host knows it; `status` "installed" when all is well.

    `version` has its epoch where there is one. `full_name` is an rpm's name with version, release
    and architecture, by which one of several kernels' headers is meant.
    """

    name: str
    version: str
    held: bool
    status: str
    full_name: str = ""

    @property
    def installed(self) -> bool:
        """Unpacked and configured."""
        return self.status == "installed"

    def to_json(self) -> dict[str, object]:
        """Plain JSON types, for `pyinfra … fact`."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """A transaction that installs and removes packages, and the command that only tells of it."""

    command: str
    rehearsal: str


@dataclass(frozen=True)
class Manager:
    """A family's package manager. Commands take package names after them.

    `update` fetches the lists and fails where a source does not answer or is signed wrongly;
    `install` takes no recommended packages; `change` is one transaction that may also downgrade and
    change what is held, and `removals` are the packages that its rehearsal's answer says would go,
    or None where that answer cannot be read.
    `busy` are words of its answer that mean "another process holds a lock". `present`
    answers which packages of some patterns are there, `available` which version would be
    installed, `missing` which of some names no package provides. `repair` and `tidy` (old kernels
    away) are words for people.
    """

    name: str
    tool: str
    update: str
    install: str
    change: Callable[[Sequence[str], Sequence[str]], Change]
    removals: Callable[[Sequence[str]], tuple[str, ...] | None]
    hold: str
    repair: str
    tidy: str
    busy: tuple[str, ...]
    present: type[FactBase[tuple[Package, ...]]]
    available: type[FactBase[dict[str, str]]]
    missing: type[FactBase[tuple[str, ...]]]
    preamble: str = ":"
    exact_spec: str = "{name}"

    def spec(self, name: str, version: str | None) -> str:
        """How one package of versions like `version` is asked for; a pin says that to apt."""
        return self.exact_spec.format(name=name, version=version) if version else name

    def script(self, command: str) -> str:
        """The shell script that runs a command of this manager patiently."""
        return _PATIENTLY.format(
            preamble=self.preamble,
            timeout_s=int(option("base_package_lock_timeout_s", LOCK_TIMEOUT_S)),
            command=command,
            busy="|".join(f'*"{words}"*' for words in self.busy),
        )

    def patiently(
        self,
        command: str,
        refusal: Refusal,
        tells: Callable[[Sequence[str]], str] | None = None,
        *,
        only_locks: bool = False,
    ) -> Generator[PyinfraCommand, None, tuple[str, ...]]:
        """Run a command, waiting while another process holds a lock of the manager's; what it said.

        The wait is bounded by the option `base_package_lock_timeout_s`. On failure the last lines
        of what it said are logged, and the host is refused with the line that tells why; `tells`
        may find more of it in what was said. With `only_locks` a failure that is not a lock's is
        left to what follows.
        """
        ask = Ask("sh", "-c", QuoteString(self.script(command)))
        yield ask
        locked = any(words in line for line in ask.said for words in self.busy)
        if ask.succeeded or (only_locks and not locked):
            return ask.lines
        for line in ask.said[-SHOWN_LINES:]:
            host.log(shown(line))
        told = (complaint_in(ask.said), tells(ask.said) if tells else "")
        why = "; ".join(text for text in told if text)
        yield from refuse(
            Refusal(f"{refusal.reason} ({why})" if why else refusal.reason, refusal.cure)
        )
        return ()


def quoted(names: Sequence[str]) -> str:
    """Names for a command line; a pattern in one is the package manager's, not the shell's."""
    return " ".join(shlex.quote(name) for name in names)

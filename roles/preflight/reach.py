"""What only the host itself can tell: who sudo makes of the login, and what it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError

ANSWER_TIMEOUT_S = 20


@dataclass(frozen=True)
class ReachAnswer:
    """Whether one of the URLs was had, and the last thing that was said if not."""

    reached: bool
    said: str = ""

    def to_json(self) -> dict[str, object]:
        """Plain JSON types, for `pyinfra … fact`."""
        return asdict(self)


class EffectiveUser(FactBase[int | None]):
    """The user id that commands run with."""

    @staticmethod
    def default() -> int | None:
        """No command could be run."""
        return None

    def command(self) -> str:
        """Ask id."""
        return "id -u"

    def process(self, output: list[str]) -> int | None:
        """One number; a login that prints more has it in its last line."""
        try:
            return int(output[-1])
        except ValueError as error:
            raise FactProcessError(f"id -u answered {output[-1]!r}") from error


class Reach(FactBase[ReachAnswer | None]):
    """Whether the host gets a file from one of some URLs.

    apt's own downloader asks, since a fresh host has no other, and it speaks as apt will: with
    the host's certificates, proxy and name servers. What it fetches is deleted.
    """

    @staticmethod
    def default() -> ReachAnswer | None:
        """The host was not asked."""
        return None

    def command(self, urls: Sequence[str]) -> StringCommand:
        """Try each URL; print `reached`, or what the last attempt said.

        Further settings of apt come on standard input, since a proxy's may hold a password.
        """
        timeout = " ".join(
            f"-o Acquire::{scheme}::Timeout={ANSWER_TIMEOUT_S}" for scheme in ("http", "https")
        )
        return StringCommand(
            'dir=$(mktemp -d) && cat >"$dir/apt.conf" && for url in',
            *(QuoteString(url) for url in urls), "; do if said=$(LC_ALL=C /usr/lib/apt/apt-helper",
            f'-c "$dir/apt.conf" {timeout} -o Acquire::Retries=1',
            'download-file "$url" "$dir/file" 2>&1); then said=reached; break; fi; done;',
            'rm -rf "$dir"; printf "%s\\n" "$said"',
        )  # fmt: skip

    def process(self, output: list[str]) -> ReachAnswer:
        """The last attempt's fault: what apt says below its `Err:` line, else its last line."""
        lines = [line.strip() for line in output if line.strip()]
        if lines and lines[-1] == "reached":
            return ReachAnswer(reached=True)
        told = [below for line, below in pairwise(lines) if line.startswith("Err:")]
        return ReachAnswer(False, (told or lines or ["no answer"])[-1])


class CurlReach(FactBase[ReachAnswer | None]):
    """The same on a host with dnf, which has curl from the start."""

    @staticmethod
    def default() -> ReachAnswer | None:
        """The host was not asked."""
        return None

    def command(self, urls: Sequence[str]) -> StringCommand:
        """Try each URL; print `reached`, or what the last attempt said.

        The proxy comes on standard input as settings of curl's, since it may hold a password.
        """
        return StringCommand(
            'settings=$(mktemp) && cat >"$settings" && for url in',
            *(QuoteString(url) for url in urls), "; do if said=$(LC_ALL=C curl --config",
            f'"$settings" --connect-timeout {ANSWER_TIMEOUT_S} --max-time {2 * ANSWER_TIMEOUT_S}',
            '--fail --location --silent --show-error --output /dev/null "$url" 2>&1);',
            'then said=reached; break; fi; done; rm -f "$settings"; printf "%s\\n" "$said"',
        )  # fmt: skip

    def process(self, output: list[str]) -> ReachAnswer:
        """The last line is the last attempt's fault."""
        lines = [line.strip() for line in output if line.strip()]
        said = lines[-1] if lines else "no answer"
        return ReachAnswer(True) if said == "reached" else ReachAnswer(False, said)

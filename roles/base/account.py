"""The account that the server runs as, as it is on the host: asked for alone, not with all others.

pyinfra's own fact tells of every user, with eight processes for each of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError


@dataclass(frozen=True)
class AccountState:
    """An account that exists; `group` is its primary group, `groups` are all of them."""

    uid: int
    home: str
    shell: str
    group: str
    groups: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Plain JSON types, for `pyinfra … fact`."""
        return asdict(self)


class Account(FactBase[AccountState | None]):
    """The account of this name, or None."""

    @staticmethod
    def default() -> AccountState | None:
        """There is none."""
        return None

    def command(self, login: str) -> StringCommand:
        """Its line of the user database, its primary group, all of its groups.

        `id` fails for a group without a name, and prints its number all the same.
        """
        quoted = QuoteString(login)
        return StringCommand(
            "! getent passwd", quoted, "|| { id -gn", quoted, "; id -Gn", quoted, "; true; }"
        )

    def process(self, output: list[str]) -> AccountState | None:
        """The last three lines, below whatever a login prints; raise for what is no answer."""
        fields = output[-3].split(":") if len(output) >= 3 else []
        if len(fields) != 7 or not fields[2].isdigit():
            raise FactProcessError(f"getent and id answered {output!r}")
        _, _, uid, _, _, home, shell = fields
        return AccountState(int(uid), home, shell, output[-2], tuple(output[-1].split()))

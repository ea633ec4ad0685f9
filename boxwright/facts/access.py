"""Who we are on a host before anything is asked of it as root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyinfra.api import FactBase, FactProcessError

from boxwright.facts.documents import as_json
from boxwright.facts.shell import script, tagged


@dataclass(frozen=True)
class AccessState:
    """The login: `sudo` is True for root or where `sudo -n true` works.

    `sudo_said` is what sudo answered otherwise; `epoch_s` the host's clock when it was asked.
    """

    uid: int = -1
    user: str = ""
    sudo: bool = False
    epoch_s: int = 0
    init: str | None = None
    sudo_said: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        document: dict[str, Any] = as_json(self)
        return document


class Access(FactBase[AccessState]):
    """The login, its way to root, the clock and the init; ask with `_sudo=False`."""

    @staticmethod
    def default() -> AccessState:
        """Nobody, who may do nothing."""
        return AccessState()

    def command(self) -> str:
        """Ask."""
        return script("encode.sh", "access.sh")

    def process(self, output: Sequence[str]) -> AccessState:
        """Read the lines that `access.sh` wrote; raises FactProcessError for anything else."""
        said = dict(tagged(output))
        try:
            uid, user, sudo, sudo_said = said["who"]
            epoch_s = int(said["clock"][0])
            init = said["init"][0] or None
            return AccessState(int(uid), user, sudo == "yes", epoch_s, init, sudo_said.strip())
        except (KeyError, ValueError) as error:
            raise FactProcessError(f"the host did not say who we are there: {error}") from error

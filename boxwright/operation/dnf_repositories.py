"""Repositories that a distribution with dnf brings switched off, switched on."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api import FactBase
from pyinfra.context import host

from boxwright.operation.manager import quoted
from boxwright.operation.packages import manager_of_host
from boxwright.operation.step import Commands
from boxwright.plan.results import Refusal


class EnabledRepositories(FactBase[tuple[str, ...]]):
    """The ids of the repositories that dnf uses."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """None known."""
        return ()

    def command(self) -> str:
        """dnf's list, which asks no server."""
        return "LC_ALL=C dnf -q repolist"

    def process(self, output: list[str]) -> tuple[str, ...]:
        """The first word of each row after the heading."""
        return tuple(line.split()[0] for line in output if line.strip() and "repo id" not in line)


def enable_repositories(names: Sequence[str]) -> Commands:
    """Switch on those of these repositories that dnf does not use yet; nothing without names."""
    enabled = host.get_fact(EnabledRepositories) if names else ()
    for name in names:
        if name not in enabled:
            yield from manager_of_host().patiently(
                f"dnf config-manager --set-enabled {quoted([name])}",
                Refusal(
                    f"dnf could not switch on the repository {name}",
                    "mend what is told in brackets, then run again",
                ),
            )

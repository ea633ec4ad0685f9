"""A command whose answer the body that yielded it can read afterwards."""

from __future__ import annotations

from typing import cast

from pyinfra.api import StringCommand
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput


class Ask(StringCommand):
    """Run a command; never fail the host by itself, the body judges.

    After the yield `succeeded` tells its exit status, `lines` its standard output and `said` its
    standard error. pyinfra stops a body at its first yield when it only looks for changes, so
    nothing reads an answer that was never given.
    """

    succeeded: bool = False
    lines: tuple[str, ...] = ()
    said: tuple[str, ...] = ()

    def execute(
        self, state: State, host: Host, connector_arguments: ConnectorArguments
    ) -> tuple[bool, CommandOutput]:
        """Send the command and keep what came back."""
        answered = super().execute(state, host, connector_arguments)
        self.succeeded, output = cast("tuple[bool, CommandOutput]", answered)
        self.lines = tuple(output.stdout_lines)
        self.said = tuple(output.stderr_lines)
        return True, output

    @property
    def last_line(self) -> str:
        """The last line of its standard output, or nothing."""
        return self.lines[-1].strip() if self.lines else ""

"""Large files between a host and this machine, over the connection of the run itself.

Like `Ask`, these never fail the host by themselves: the body that yielded one judges what came of
it, and an error is a sentence there, never an exception.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from pyinfra import logger
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.command import FileDownloadCommand, FileUploadCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State

# /tmp may lie in RAM; a name that nobody on the host can know and take beforehand
TEMPORARY = f"/var/tmp/boxwright-carried-{secrets.token_hex(8)}"


class _Carry:
    """What both directions answer after the yield: `succeeded`, or what was `said` if not."""

    succeeded: bool = False
    said: str = ""

    def judged(self, carried: object, error: Exception | None) -> bool:
        self.succeeded = bool(carried)
        if error is not None:
            logger.debug("a file was not carried", exc_info=error)
            self.said = f"{type(error).__name__}: {error}"
        elif not carried:
            self.said = "the host's own message is above"
        return True


class Upload(_Carry, FileUploadCommand):
    """Bring a file of this machine to the host; with sudo by way of /var/tmp."""

    def __init__(self, source: Path, path: str) -> None:
        super().__init__(str(source), path, remote_temp_filename=TEMPORARY)

    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> bool:
        """Send it; a broken connection or a full disk is kept as what was said."""
        try:
            return self.judged(super().execute(state, host, connector_arguments), None)
        except Exception as error:
            return self.judged(False, error)


class Collect(_Carry, FileDownloadCommand):
    """Bring a file of the host to this machine; anybody there may read it."""

    def __init__(self, path: str, target: Path) -> None:
        super().__init__(path, str(target), remote_temp_filename=TEMPORARY)

    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> bool:
        """Fetch it as the login itself, which saves a copy; errors are kept as what was said."""
        try:
            carried = host.get_file(self.src, self.dest, print_output=state.print_output)
            return self.judged(carried, None)
        except Exception as error:
            return self.judged(False, error)

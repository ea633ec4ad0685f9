"""A reboot proved by a new boot id; in a container the uptime would be that of its host."""

from __future__ import annotations

import time
from collections.abc import Generator

from pyinfra import logger
from pyinfra.api import FunctionCommand, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.local import LocalConnector
from pyinfra.context import host as this_host
from pyinfra.facts.files import FileContents

from boxwright.operation.step import refuse
from boxwright.plan.results import Refusal

BOOT_ID = "/proc/sys/kernel/random/boot_id"
FIRST_LOOK_S = 2.0
POLL_S = 1.0


def _boot_id(host: Host) -> str | None:
    succeeded, output = host.run_shell_command(f"cat {BOOT_ID}", _timeout=10)
    return output.stdout.strip() if succeeded else None


def _wait_for_new_boot(state: State, host: Host, before: str, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    time.sleep(FIRST_LOOK_S)
    while time.monotonic() < deadline:
        try:
            host.disconnect()
            # SSHConnector.disconnect only drops the SFTP cache (reference/pyinfra.md, section 5)
            client = getattr(host.connector, "client", None)
            if client is not None:
                client.close()
            host.connect(show_errors=False)
            if host.connected and _boot_id(host) not in (None, before):
                return True
        except Exception as error:
            logger.debug("%s not back yet: %s", host.name, error)
        time.sleep(POLL_S)
    logger.error(
        f"{host.print_prefix}boxwright refuses: the host did not come back within {timeout_s:.0f} s"
        " of its reboot. Cure: look at its console (a kernel or driver that does not boot), then"
        " run again, or raise driver_reboot_timeout_s."
    )
    return False


def is_this_machine() -> bool:
    """Whether the host is the machine that this run itself runs on."""
    return isinstance(this_host.connector, LocalConnector)


def reboot_into_new_boot(timeout_s: float) -> Generator[PyinfraCommand, None, None]:
    """Reboot and wait until the host answers with another boot id; fail the host if it does not.

    Whether a reboot is needed is the caller's to decide, on state.
    """
    lines = this_host.get_fact(FileContents, path=BOOT_ID)
    before = lines[0].strip() if lines else ""
    if not before:  # any answer would pass for a new boot
        reason = f"{BOOT_ID} cannot be read, so a reboot could not be seen"
        yield from refuse(Refusal(reason, "reboot this host yourself, then run again"))
        return
    yield StringCommand("( sleep 1 && systemctl reboot ) </dev/null >/dev/null 2>&1 &")
    yield FunctionCommand(_wait_for_new_boot, (before, timeout_s), {})

"""The persistence daemon: without it the driver forgets its state between two programs."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from pyinfra.api import FactBase, StringCommand
from pyinfra.context import host

from boxwright.operation import (
    Commands,
    attempt,
    machine_of_host,
    noop,
    operation,
    rendered,
)
from boxwright.plan.results import Refusal
from roles.driver.planned import planned_driver

UNIT = "nvidia-persistenced.service"
OVERRIDE = f"/etc/systemd/system/{UNIT}.d/boxwright.conf"
OFF = "--no-persistence-mode"  # in the unit of Ubuntu's package (reference/nvidia.md, section 5)
ARGV = re.compile(r"argv\[\]=(?P<argv>.*?) ; ")


@dataclass(frozen=True)
class PersistenceState:
    """The daemon's unit: whether there is one, its command line, the running one's, its state."""

    loaded: bool = False
    command: str = ""
    running_command: str = ""
    active: bool = False
    enabled: str = ""
    needs_reload: bool = False

    def to_json(self) -> dict[str, object]:
        """Plain JSON types, for `pyinfra … fact`."""
        return asdict(self)


class Persistence(FactBase[PersistenceState]):
    """What systemd and /proc say of the persistence daemon."""

    @staticmethod
    def default() -> PersistenceState:
        """No such unit."""
        return PersistenceState()

    def command(self) -> str:
        """The unit's properties, then the running command line."""
        names = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,MainPID,ExecStart"
        return (
            f"systemctl show --property={names} {UNIT};"
            f" pid=$(systemctl show --property=MainPID --value {UNIT});"
            " ! test -r /proc/$pid/cmdline ||"
            " { printf Running=; tr '\\0' ' ' </proc/$pid/cmdline; echo; }"
        )

    def process(self, output: list[str]) -> PersistenceState:
        """Read NAME=VALUE lines."""
        said = dict(line.split("=", 1) for line in output if "=" in line)
        argv = ARGV.search(said.get("ExecStart", ""))
        return PersistenceState(
            loaded=said.get("LoadState") == "loaded",
            command=argv["argv"] if argv else "",
            running_command=said.get("Running", "").strip(),
            active=said.get("ActiveState") == "active",
            enabled=said.get("UnitFileState", ""),
            needs_reload=said.get("NeedDaemonReload") == "yes",
        )


def persistent(command: str) -> str:
    """A command line of the daemon that turns persistence on instead of off."""
    return " ".join(word for word in command.split() if word != OFF)


@operation
def keep_loaded() -> Commands:
    """Have the daemon running with persistence on, where its package came with the driver."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if machine_of_host().nvidia.loaded is None:
        noop("no driver is loaded")
        return
    state = host.get_fact(Persistence)
    if not state.loaded:
        noop("the driver came without its persistence daemon")
        return
    if OFF in state.command.split():
        yield from rendered(OVERRIDE, command=persistent(state.command))
        yield StringCommand("systemctl daemon-reload")
    elif state.needs_reload:
        yield StringCommand("systemctl daemon-reload")
    if state.enabled == "disabled":
        yield StringCommand("systemctl enable --quiet", UNIT)
    if not state.active or OFF in state.running_command.split():
        yield attempt(
            StringCommand("systemctl restart", UNIT),
            Refusal(
                f"{UNIT} does not start, and without it the driver forgets its state between"
                " programs",
                f"look at `journalctl -u {UNIT} -b`, then run again",
            ),
        )

"""What brings the service up: key, unit, drop-ins, and a start when what runs is stale."""

from __future__ import annotations

from io import StringIO

from pyinfra.api import QuoteString, StringCommand
from pyinfra.context import host
from pyinfra.facts.server import Command
from pyinfra.operations import files

from boxwright.operation import (
    Ask,
    Commands,
    noop,
    operation,
    refuse,
    write_whole,
)
from boxwright.plan.results import Refusal
from roles.server.health import restart_s
from roles.server.key import KEY_MODE, KEY_OWNER, KEY_PATH
from roles.server.unit import (
    DROPIN_DIRECTORY,
    DROPIN_MARK,
    UNIT,
    UNIT_PATH,
    dropin_path,
    dropin_text,
    unwanted_dropins,
)
from roles.server.wanted import Wish, did_not_start, planned_wish


@operation
def write_api_key() -> Commands:
    """Have the API key file as it is on the control machine, or none; it is never shown."""
    wish = yield from planned_wish()
    if wish is None:
        return
    if wish.key_is_there():
        noop("the key is as wanted")
        return
    if wish.key is None:
        yield StringCommand("rm -f --", KEY_PATH)
        return
    yield StringCommand("install -d -m 0755 /etc/boxwright")
    yield write_whole(KEY_PATH, wish.key.text, owner=KEY_OWNER, mode=KEY_MODE)


@operation
def write_unit() -> Commands:
    """Have the unit and the drop-ins that are wanted; drop-ins of a user's own stay."""
    wish = yield from planned_wish()
    if wish is None:
        return
    wanted = {UNIT_PATH: wish.unit_text} | {
        dropin_path(name): dropin_text(text) for name, text in wish.settings.dropins.items()
    }
    for path, text in wanted.items():
        yield from files.put._inner(
            src=StringIO(text), dest=path, user="root", group="root", mode="644"
        )
    command = StringCommand(
        "grep -l --fixed-strings --line-regexp", QuoteString(DROPIN_MARK),
        f"{DROPIN_DIRECTORY}/*.conf", "2>/dev/null || true",
    )  # fmt: skip
    ours = str(host.get_fact(Command, command=command)).splitlines()
    for path in unwanted_dropins(ours, wish.settings.dropins):
        yield StringCommand("rm -f --", QuoteString(path))


@operation
def start_service() -> Commands:
    """Enable the service, and (re)start it if what runs is not what is wanted."""
    wish = yield from planned_wish()
    if wish is None:
        return
    service = wish.service()
    stale = service.active_state != "active" or service.config_digest != wish.digest
    # a unit whose file was gone for a while is not loaded, and systemd does not ask for a reload
    unread = service.need_daemon_reload or not service.loaded
    if service.enabled and not unread and not stale:
        noop("the service runs what is wanted")
        return
    if unread:
        yield StringCommand("systemctl daemon-reload")
    if not service.enabled:
        yield StringCommand("systemctl enable --quiet", UNIT)
    if not stale:
        return
    owner = service.port_owner
    if owner is not None and owner[0] != service.main_pid:
        yield from refuse(_port_taken(wish, owner))
        return
    # a start that failed before counts against StartLimitBurst: begin afresh
    yield StringCommand("systemctl reset-failed", UNIT, "2>/dev/null || true")
    settings = wish.settings
    timeout_s = restart_s(settings.start_timeout_s, settings.stop_timeout_s)
    start = Ask("systemctl restart", UNIT, _timeout=timeout_s)
    yield start
    if not start.succeeded:
        yield from refuse(did_not_start("systemd could not start it"))


def _port_taken(wish: Wish, owner: tuple[int, str]) -> Refusal:
    pid, command = owner
    return Refusal(
        f"port {wish.server.port} is held by process {pid} ({command}), needed free",
        "end that process, or choose another server_port",
    )

"""Host settings as drop-in files, applied where the live value differs."""

from __future__ import annotations

from pyinfra.api import QuoteString, StringCommand
from pyinfra.context import host
from pyinfra.facts.files import File

from boxwright.operation import Commands, absent, attempt, noop, operation, rendered
from boxwright.plan.results import Refusal
from roles.tuning.state import (
    Governors,
    KernelSettings,
    UnitState,
    differing,
    planned_tuning,
    there,
)

ACCOUNT = "llama"
LIMITS = "/etc/security/limits.d/90-boxwright.conf"
SYSCTL = "/etc/sysctl.d/90-boxwright.conf"
GOVERNOR_UNIT = "boxwright-governor.service"
GOVERNOR = f"/etc/systemd/system/{GOVERNOR_UNIT}"


@operation
def allow_locked_memory() -> Commands:
    """Lift the limit on locked memory for sessions of the account; its unit has its own."""
    yield from rendered(LIMITS, account=ACCOUNT)


@operation
def set_kernel() -> Commands:
    """Set the planned sysctl keys that this kernel has, now and for every boot."""
    tuning = yield from planned_tuning()
    if tuning is None:
        return
    live = host.get_fact(KernelSettings, keys=sorted(tuning.sysctl))
    settings = there(tuning.sysctl, live)
    if not settings:
        yield from absent(SYSCTL)
        return
    yield from rendered(SYSCTL, settings=settings)
    if differing(settings, live):
        yield attempt(
            StringCommand("sysctl --quiet -p", QuoteString(SYSCTL)),
            Refusal(
                f"the kernel did not take {', '.join(settings)}",
                "in a container set them on its host, or set the tuning_ option to None",
            ),
        )


@operation
def set_governor() -> Commands:
    """Set the CPU governor now and at every boot, where the kernel has one to set."""
    tuning = yield from planned_tuning()
    if tuning is None:
        return
    state = host.get_fact(Governors)
    if tuning.governor is None or not state.used:
        yield from _no_unit()
        return
    if state.offered and tuning.governor not in state.offered:
        noop(f"no governor {tuning.governor} here, only {', '.join(sorted(state.offered))}")
        yield from _no_unit()
        return
    yield from rendered(GOVERNOR, governor=tuning.governor)
    shown = host.get_fact(UnitState, unit=GOVERNOR_UNIT)
    # a unit whose file was gone while it was active cannot be started before systemd reads it anew
    if not {"LoadState=loaded", "NeedDaemonReload=no"} <= set(shown):
        yield StringCommand("systemctl daemon-reload")
    if "UnitFileState=enabled" not in shown:
        yield StringCommand("systemctl enable --quiet", GOVERNOR_UNIT)
    if state.used != {tuning.governor} or "ActiveState=active" not in shown:
        yield attempt(
            StringCommand("systemctl restart", GOVERNOR_UNIT),
            Refusal(
                f"the CPU governor could not be set to {tuning.governor}",
                f"look at `journalctl -u {GOVERNOR_UNIT} -b`, or set tuning_governor to None",
            ),
        )


def _no_unit() -> Commands:
    if host.get_fact(File, path=GOVERNOR):
        yield StringCommand("systemctl disable --quiet --now", GOVERNOR_UNIT)
        yield from absent(GOVERNOR)
        yield StringCommand("systemctl daemon-reload")

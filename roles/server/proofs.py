"""Proofs of the service: asked of systemd, the kernel and HTTP, changing nothing."""

from __future__ import annotations

from boxwright.operation import Commands, noop, operation, refuse
from boxwright.plan.results import Refusal
from roles.server.key import KEY_MODE, KEY_OWNER, KEY_PATH
from roles.server.residence import residence, resident_mib, wants_lock
from roles.server.unit import UNIT
from roles.server.wanted import healthy, journal_of_this_start, planned_wish


@operation
def prove_service() -> Commands:
    """The service is enabled, runs just what is planned, and answers."""
    wish = yield from planned_wish()
    if wish is None:
        return
    service = wish.service()
    faults = [
        fault
        for wrong, fault in (
            (service.active_state != "active", f"{service.active_state}, needed active"),
            (not service.enabled, "not enabled, so no boot would start it"),
            (service.config_digest != wish.digest, "running another configuration than planned"),
            (not healthy(service), "not answering 200 on /health"),
            (service.need_daemon_reload, "changed on disk since systemd read it"),
        )
        if wrong
    ]
    if faults:
        yield from refuse(Refusal(f"{UNIT} is {'; '.join(faults)}", "run deploy/all.py"))
        return
    noop("the service runs what is planned")


@operation
def prove_key() -> Commands:
    """The key file is the wanted one, and nobody but root and the service can read it."""
    wish = yield from planned_wish()
    if wish is None:
        return
    if not wish.key_is_there():
        needed = f"{KEY_OWNER} {KEY_MODE}" if wish.key else "none, since no key is wanted"
        fault = f"{KEY_PATH} is not the key file that is wanted, needed {needed}"
        yield from refuse(Refusal(fault, "run deploy/all.py"))
        return
    noop("the key is as wanted")


@operation
def prove_residence() -> Commands:
    """The weights that belong in host RAM are locked there, by the kernel's own count."""
    wish = yield from planned_wish()
    if wish is None:
        return
    memory = wish.plan.memory
    if memory is None or not wants_lock(wish.server.args):
        noop("nothing is to be locked")
        return
    service, need_mib = wish.service(), memory.host.model_mib
    failed = residence(service, need_mib, ())
    if failed is not None:
        yield from refuse(residence(service, need_mib, journal_of_this_start()) or failed)
        return
    noop(f"{resident_mib(service):.0f} MiB are resident, needed {need_mib} MiB")

"""What is waited for and asked of the running server: health, and one measured completion."""

from __future__ import annotations

import time

from pyinfra.api import StringCommand
from pyinfra.context import host

from boxwright.facts import DECODE_PATH, DecodeRecord, DecodeRecords
from boxwright.operation import (
    Commands,
    add_line,
    args_digest,
    decode_tok_s,
    hardware_digest,
    machine_of_host,
    noop,
    operation,
    option,
    refuse,
    server_ask,
    timings_of,
)
from boxwright.plan.results import Refusal
from roles.server.decode import question, record_of, recorded
from roles.server.health import deadline_s, telling_line
from roles.server.unit import UNIT
from roles.server.wanted import (
    Wish,
    did_not_start,
    healthy,
    journal_of_this_start,
    planned_wish,
)

POLL_S = 1.0
LOG_EVERY_S = 15.0


@operation
def wait_until_healthy() -> Commands:
    """Wait until the server answers 200 on /health; fail as soon as it cannot any more."""
    wish = yield from planned_wish()
    if wish is None:
        return
    if healthy(wish.service()):
        noop("the server is healthy")
        return
    # pyinfra, when it only looks for changes, stops here: nothing is waited for then
    yield StringCommand("systemctl is-active --quiet", UNIT, "|| true")
    failed = _wait(wish)
    if failed is not None:
        yield from refuse(failed)


@operation
def record_decode() -> Commands:
    """Ask for one completion and record its speed, once for this configuration and boot."""
    wish = yield from planned_wish()
    if wish is None:
        return
    identity = wish.identity(machine_of_host().boot_id or "unknown")
    records: tuple[DecodeRecord, ...] = host.get_fact(DecodeRecords)
    if recorded(records, identity):
        noop("measured already in this boot")
        return
    timeout_s = int(option("server_answer_timeout_s", 600))
    tokens = int(option("server_decode_tokens", 32))
    key = wish.key.first if wish.key else None
    url = f"{wish.base_url}/v1/chat/completions"
    ask = server_ask(url, question(wish.server.alias, tokens), timeout_s, key)
    yield ask
    timings = timings_of("\n".join(ask.lines))
    if isinstance(timings, str):
        yield from refuse(_silent(timeout_s, ask.said[-1] if ask.said else timings))
        return
    digests = (args_digest(wish.server), hardware_digest(machine_of_host()))
    line = record_of(identity, digests, timings, int(time.time()))
    yield add_line(DECODE_PATH, line)
    host.log(
        f"{wish.server.alias}: decode {decode_tok_s(timings):.1f} tok/s,"
        f" prefill {float(timings.get('prompt_per_second') or 0):.1f} tok/s"
    )


def _silent(timeout_s: int, said: str) -> Refusal:
    return Refusal(
        f"the server did not complete a prompt of one line within {timeout_s} s; it answered:"
        f" {said}",
        f"see `journalctl -u {UNIT}` on the host; a slow one needs a larger"
        " server_answer_timeout_s",
    )


def _wait(wish: Wish) -> Refusal | None:
    """Poll, and log now and then; None once it is healthy."""
    limit_s = deadline_s(
        wish.model.size_mib or 0,
        float(option("server_start_base_s", 900)),
        float(option("server_disk_read_mib_s", 100)),
    )
    began_s = logged_s = time.monotonic()
    while True:
        service = wish.service()
        if healthy(service):
            return None
        if service.active_state in ("failed", "inactive") or service.sub_state == "auto-restart":
            return did_not_start(
                f"it is {service.active_state} ({service.sub_state}, {service.result})"
            )
        now_s = time.monotonic()
        if now_s - began_s > limit_s:
            return Refusal(
                f"{UNIT} did not become healthy within {limit_s} s (HTTP status"
                f" {service.health_status or 'none'}); its log says:"
                f" {telling_line(journal_of_this_start())}",
                "raise server_start_base_s, or lower server_disk_read_mib_s to what the model"
                " disk really reads, then run again: it goes on waiting",
            )
        if now_s - logged_s >= LOG_EVERY_S:
            logged_s = now_s
            host.log(
                f"loading {wish.model.name}: {now_s - began_s:.0f} s of at most {limit_s} s,"
                f" {service.vm_rss_mib:.0f} MiB in memory"
            )
        time.sleep(POLL_S)

"""Measuring the server that runs: prompts of several lengths, each asked several times."""

from __future__ import annotations

import json
import time
from dataclasses import replace

from pyinfra.context import host

from boxwright.facts import BENCH_PATH, BenchPoint, BenchRecord
from boxwright.operation import (
    Commands,
    add_line,
    args_digest,
    hardware_digest,
    machine_of_host,
    operation,
    option,
    refuse,
)
from boxwright.plan.results import Refusal
from roles.bench import asking, prompts
from roles.bench.asking import Asking, Server

WARM_UP = 16  # tokens of prompt and answer: the first after a start compiles and allocates


@operation
def find_idle() -> Commands:
    """Refuse the host, before anything is measured, while its server answers somebody."""
    server = asking.server_of_host()
    if isinstance(server, Refusal):
        yield from refuse(server)
        return
    wishes = _wishes()
    busy = wishes if isinstance(wishes, Refusal) else (yield from asking.refusal_if_busy(server))
    if busy is not None:
        yield from refuse(busy)


@operation
def measure_server() -> Commands:
    """Ask the server, and append what it did to the host's record."""
    server = asking.server_of_host()
    if isinstance(server, Refusal):
        yield from refuse(server)
        return
    points = yield from _points(server)
    if isinstance(points, Refusal):
        yield from refuse(points)
        return
    plan, machine = server.plan, machine_of_host()
    assert plan.runtime and plan.model and plan.server
    record = BenchRecord(
        release=plan.runtime.release,
        model=plan.model.name,
        quant=plan.model.quant,
        args_digest=args_digest(plan.server),
        hardware=hardware_digest(machine),
        driver=machine.nvidia.loaded,
        boot_id=machine.boot_id or "unknown",
        at_epoch_s=int(time.time()),
        points=points,
    )
    yield add_line(BENCH_PATH, json.dumps(record.to_json()) + "\n")


def _points(server: Server) -> Asking[tuple[BenchPoint, ...] | Refusal]:
    """Every length asked as often as the options say."""
    wishes = _wishes()
    if isinstance(wishes, Refusal):
        return wishes
    context = yield from asking.context_tokens(server)
    if isinstance(context, Refusal):
        return context
    tokens = wishes.decode_tokens
    lengths = prompts.lengths(wishes.prompt_tokens, tokens, context)
    for length in sorted(set(wishes.prompt_tokens) - set(lengths)):
        host.log(f"{length} tokens and {tokens} more do not fit {context} tokens: not measured")
    if not lengths:
        return Refusal(
            f"no prompt of bench_prompt_tokens {wishes.prompt_tokens} fits {context} tokens of"
            f" context with {tokens} more to answer",
            "correct bench_prompt_tokens, or raise server_context",
        )
    warmed = yield from asking.timed_answer(
        server, replace(wishes, decode_tokens=WARM_UP), WARM_UP, 0
    )
    if isinstance(warmed, Refusal):
        return warmed
    points: list[BenchPoint] = []
    for length in lengths:
        found = yield from _point(server, wishes, length)
        if isinstance(found, Refusal):
            return found
        points.append(found)
    return tuple(points)


def _wishes() -> prompts.Wishes | Refusal:
    names = ("bench_prompt_tokens", "bench_decode_tokens", "bench_repeat", "bench_timeout_s")
    found = prompts.wishes_of(*(option(name) for name in names))
    return Refusal(found, "correct it in the inventory's data") if isinstance(found, str) else found


def _point(server: Server, wishes: prompts.Wishes, length: int) -> Asking[BenchPoint | Refusal]:
    """Prompts of one length, while nobody else asks."""
    busy = yield from asking.refusal_if_busy(server)
    if busy is not None:
        return busy
    answers = []
    for turn in range(wishes.repeat):
        answer = yield from asking.timed_answer(server, wishes, length, turn)
        if isinstance(answer, Refusal):
            return answer
        answers.append(answer)
    point = prompts.point(length, answers)
    host.log(
        f"{length} tokens: prefill {point.prefill[1]:.1f} tok/s,"
        f" then decode {point.decode[1]:.1f} tok/s"
    )
    return point

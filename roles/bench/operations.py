"""Measuring the server that runs: prompts of several lengths, each asked several times."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pyinfra.api import StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.facts import BENCH_PATH, BenchPoint, BenchRecord
from boxwright.operation import (
    Commands,
    answer_of,
    args_digest,
    ask_host,
    hardware_digest,
    machine_of_host,
    operation,
    option,
    plan_for_host,
    read_key,
    refuse,
    server_ask,
    timings_of,
)
from boxwright.plan.results import Plan, Refusal
from roles.bench import prompts
from roles.bench.idle import busy_by_metrics, busy_by_slots

T = TypeVar("T")
Asking = Generator[PyinfraCommand, None, T]
SHORT_S = 60  # for questions that are answered at once
WARM_UP = 16  # tokens of prompt and answer: the first after a start compiles and allocates


@dataclass(frozen=True)
class _Server:
    """The server of this host: what is asked, and with which key."""

    plan: Plan
    url: str
    key: str | None = field(repr=False)

    def ask(self, path: str, body: dict[str, object] | None, timeout_s: int) -> Asking[str]:
        """What it answers, as text."""
        ask = server_ask(f"{self.url}{path}", body, timeout_s, self.key)
        yield ask
        return "\n".join(ask.lines) if ask.succeeded else "\n".join(ask.said)


@operation
def find_idle() -> Commands:
    """Refuse the host, before anything is measured, while its server answers somebody."""
    server = _server()
    if isinstance(server, Refusal):
        yield from refuse(server)
        return
    wishes = _wishes()
    busy = wishes if isinstance(wishes, Refusal) else (yield from _busy(server))
    if busy is not None:
        yield from refuse(busy)


@operation
def measure_server() -> Commands:
    """Ask the server, and append what it did to the host's record."""
    server = _server()
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
    text = prompts.line(record.to_json())
    yield StringCommand("umask 022 && cat >>", BENCH_PATH, _stdin=text)


def _server() -> _Server | Refusal:
    plan = plan_for_host()
    if plan.refusal is not None:
        return plan.refusal
    if plan.server is None or plan.model is None or plan.runtime is None:
        return Refusal("the plan has no server", "report this with `boxwright plan --json`")
    key = read_key(option("server_api_key_file"))
    if isinstance(key, Refusal):
        return key
    url = f"http://{ask_host(plan.server.host)}:{plan.server.port}"
    return _Server(plan, url, key.first if key else None)


def _points(server: _Server) -> Asking[tuple[BenchPoint, ...] | Refusal]:
    """Every length asked as often as the options say."""
    wishes = _wishes()
    if isinstance(wishes, Refusal):
        return wishes
    context = yield from _context(server)
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
    warmed = yield from _answer(server, replace(wishes, decode_tokens=WARM_UP), WARM_UP, 0)
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


def _point(server: _Server, wishes: prompts.Wishes, length: int) -> Asking[BenchPoint | Refusal]:
    """Prompts of one length, while nobody else asks."""
    busy = yield from _busy(server)
    if busy is not None:
        return busy
    answers = []
    for turn in range(wishes.repeat):
        answer = yield from _answer(server, wishes, length, turn)
        if isinstance(answer, Refusal):
            return answer
        answers.append(answer)
    point = prompts.point(length, answers)
    host.log(
        f"{length} tokens: prefill {point.prefill[1]:.1f} tok/s,"
        f" then decode {point.decode[1]:.1f} tok/s"
    )
    return point


def _context(server: _Server) -> Asking[int | Refusal]:
    """How many tokens one user has."""
    text = yield from server.ask("/props", None, SHORT_S)
    props = answer_of(text)
    if isinstance(props, str):
        return _silent(props)
    settings = props.get("default_generation_settings")
    return int((settings or {}).get("n_ctx") or 0)


def _busy(server: _Server) -> Asking[Refusal | None]:
    """A refusal while somebody else is being answered."""
    slots = yield from server.ask("/slots", None, SHORT_S)
    busy = busy_by_slots(slots)
    if busy is None:
        metrics = yield from server.ask("/metrics", None, SHORT_S)
        busy = busy_by_metrics(metrics)
    if busy is None:
        host.log("the server does not tell whether it answers others: if so, they slow it")
    if not busy:
        return None
    return Refusal(
        "the server is answering somebody, so its speed cannot be measured now",
        "run this when it is idle",
    )


def _answer(
    server: _Server, wishes: prompts.Wishes, length: int, turn: int
) -> Asking[prompts.Answered | Refusal]:
    """One completion; a prompt that was not worked through whole measures nothing."""
    body: dict[str, object] = {"content": prompts.text(length, turn)}
    text = yield from server.ask("/tokenize", body, SHORT_S)
    said = answer_of(text)
    tokens = None if isinstance(said, str) else said.get("tokens")
    if not isinstance(tokens, list) or len(tokens) < length:
        return _silent(text[:200])
    question = prompts.question(tokens[:length], wishes.decode_tokens)
    text = yield from server.ask("/completion", question, wishes.timeout_s)
    timings = timings_of(text)
    if isinstance(timings, str):
        return _silent(timings)
    answer = prompts.answered(timings)
    fault = prompts.fault(answer, length, wishes.decode_tokens)
    if fault is not None:
        cure = "leave out of server_extra_args what keeps or cuts prompts and answers"
        return Refusal(fault, f"{cure}, then run again")
    return answer


def _silent(said: str) -> Refusal:
    return Refusal(
        f"the server did not answer as it should; it said: {said}",
        "run deploy/all.py; a slow answer needs a larger bench_timeout_s",
    )

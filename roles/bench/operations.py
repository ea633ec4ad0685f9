"""Measuring the server that runs: prompts of several lengths, each asked several times."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.facts import BENCH_PATH, BenchPoint, BenchRecord
from boxwright.operation import (
    Commands,
    answer_of,
    args_digest,
    ask_host,
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

Asking = Generator[PyinfraCommand, None, Any]
SHORT_S = 60  # for questions that are answered at once
WARM_UP = (32, 8)  # tokens of prompt and answer: the first after a start compiles and allocates


@dataclass(frozen=True)
class _Server:
    """The server of this host: what is asked, and with which key."""

    plan: Plan
    url: str
    key: str | None = field(repr=False)

    def ask(self, path: str, body: dict[str, object] | None, timeout_s: int) -> Asking:
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
    context = yield from _context_of_idle(server)
    if isinstance(context, Refusal):
        yield from refuse(context)


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
        args_digest=args_digest(plan.server.args),
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


def _points(server: _Server) -> Generator[PyinfraCommand, None, tuple[BenchPoint, ...] | Refusal]:
    """Every length asked as often as the options say."""
    context = yield from _context_of_idle(server)
    if isinstance(context, Refusal):
        return context
    passage = yield from _passage(server)
    if isinstance(passage, Refusal):
        return passage
    wanted, tokens = option("bench_prompt_tokens"), int(option("bench_decode_tokens"))
    lengths = prompts.lengths(wanted, tokens, context)
    for length in sorted(set(wanted) - set(lengths)):
        host.log(f"{length} tokens and {tokens} more do not fit {context} tokens: not measured")
    if not lengths:
        return Refusal(
            f"no prompt of bench_prompt_tokens {tuple(wanted)} fits {context} tokens of context"
            f" with {tokens} more to answer",
            "correct bench_prompt_tokens, or raise server_context",
        )
    warmed = yield from _answer(server, prompts.prompt(passage, WARM_UP[0], 0), WARM_UP[1])
    if isinstance(warmed, Refusal):
        return warmed
    points = []
    for length in lengths:
        answers = []
        for turn in range(max(int(option("bench_repeat")), 1)):
            answer = yield from _answer(server, prompts.prompt(passage, length, turn), tokens)
            if isinstance(answer, Refusal):
                return answer
            answers.append(answer)
        points.append(prompts.point(length, answers))
        host.log(
            f"{length} tokens: prefill {points[-1].prefill[1]:.1f} tok/s,"
            f" then decode {points[-1].decode[1]:.1f} tok/s"
        )
    return tuple(points)


def _context_of_idle(server: _Server) -> Generator[PyinfraCommand, None, int | Refusal]:
    """How many tokens one user has; a refusal while somebody else is being answered."""
    text = yield from server.ask("/props", None, SHORT_S)
    props = answer_of(text)
    if isinstance(props, str):
        return _silent(props)
    slots = yield from server.ask("/slots", None, SHORT_S)
    if '"is_processing":true' in slots.replace(" ", ""):
        return Refusal(
            "the server is answering somebody, so its speed cannot be measured now",
            "run this when it is idle",
        )
    return int(props.get("default_generation_settings", {}).get("n_ctx") or 0)


def _passage(server: _Server) -> Generator[PyinfraCommand, None, list[int] | Refusal]:
    """The passage in the model's own tokens."""
    text = yield from server.ask("/tokenize", {"content": prompts.PASSAGE}, SHORT_S)
    said = answer_of(text)
    tokens = None if isinstance(said, str) else said.get("tokens")
    if not isinstance(tokens, list) or not tokens:
        return _silent(text[:200])
    return [int(token) for token in tokens]


def _answer(
    server: _Server, tokens: list[int], decode_tokens: int
) -> Generator[PyinfraCommand, None, prompts.Answered | Refusal]:
    """One completion; a prompt that was not worked through whole measures nothing."""
    timeout_s = int(option("bench_timeout_s"))
    question = prompts.question(tokens, decode_tokens)
    text = yield from server.ask("/completion", question, timeout_s)
    timings = timings_of(text)
    if isinstance(timings, str):
        return _silent(timings)
    answer = prompts.answered(timings)
    if answer.prompt_tokens < len(tokens):
        return Refusal(
            f"the server worked through {answer.prompt_tokens} tokens of a prompt of {len(tokens)}",
            "leave out of server_extra_args what keeps or cuts prompts, then run again",
        )
    return answer


def _silent(said: str) -> Refusal:
    return Refusal(
        f"the server did not answer as it should; it said: {said}",
        "run deploy/all.py; a slow answer needs a larger bench_timeout_s",
    )

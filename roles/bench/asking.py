"""Asking the server that runs: whether it is idle, how long its context is, one timed answer."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeVar

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from boxwright.operation import (
    NO_SERVER,
    answer_of,
    ask_host,
    option,
    plan_for_host,
    read_key,
    server_ask,
    timings_of,
)
from boxwright.plan.results import Plan, Refusal
from roles.bench import prompts
from roles.bench.idle import busy_by_metrics, busy_by_slots

T = TypeVar("T")
Asking = Generator[PyinfraCommand, None, T]
SHORT_S = 60  # for questions that are answered at once


@dataclass(frozen=True)
class Server:
    """The server of this host: what is asked, and with which key."""

    plan: Plan
    url: str
    key: str | None = field(repr=False)

    def ask(self, path: str, body: dict[str, object] | None, timeout_s: int) -> Asking[str]:
        """What it answers, as text."""
        ask = server_ask(f"{self.url}{path}", body, timeout_s, self.key)
        yield ask
        return "\n".join(ask.lines) if ask.succeeded else "\n".join(ask.said)


def server_of_host() -> Server | Refusal:
    """The server as this host's plan has it, with the API key where there is one."""
    plan = plan_for_host()
    if plan.refusal is not None:
        return plan.refusal
    if plan.server is None or plan.model is None or plan.runtime is None:
        return NO_SERVER
    key = read_key(option("server_api_key_file"))
    if isinstance(key, Refusal):
        return key
    url = f"http://{ask_host(plan.server.host)}:{plan.server.port}"
    return Server(plan, url, key.first if key else None)


def context_tokens(server: Server) -> Asking[int | Refusal]:
    """How many tokens one user has, as the running server says."""
    text = yield from server.ask("/props", None, SHORT_S)
    props = answer_of(text)
    if isinstance(props, str):
        return _silent(props)
    settings = props.get("default_generation_settings")
    return int((settings or {}).get("n_ctx") or 0)


def refusal_if_busy(server: Server) -> Asking[Refusal | None]:
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


def timed_answer(
    server: Server, wishes: prompts.Wishes, length: int, turn: int
) -> Asking[prompts.Answered | Refusal]:
    """One completion after a prompt of `length` tokens; `turn` makes the prompt another text.

    A prompt that was not worked through whole measures nothing, and is a refusal.
    """
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

"""The bench role: what the server is asked, and what is kept of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from boxwright.facts import BenchPoint, BenchRecord
from roles.bench import operations, prompts
from tests.unit.plans import machine
from tests.unit.role_host import RoleHost, box

URL = "http://127.0.0.1:8080"


class Server:
    """Answers as llama-server does: a token for each word.

    `cached` tokens of every prompt are not worked through, answers are `cut` short by some tokens;
    without `slots` or `metrics` it does not tell of them.
    """

    def __init__(
        self,
        cached: int = 0,
        cut: int = 0,
        busy: bool = False,
        context: int = 4096,
        slots: bool = True,
        metrics: bool = True,
        per_token_ms: float = 10.0,
    ) -> None:
        self.cached, self.cut, self.busy, self.context = cached, cut, busy, context
        self.slots, self.metrics, self.per_token_ms = slots, metrics, per_token_ms
        self.prompts: list[list[int]] = []
        self.asked: list[dict[str, Any]] = []

    def __call__(self, host: RoleHost) -> tuple[str, ...]:
        settings, _, body = host.stdin[-1].partition("\n\n")
        path = settings.split("url = ")[1].split("\n")[0].strip('"').removeprefix(URL)
        answers: dict[str, Callable[[], Any]] = {
            "/props": lambda: {"default_generation_settings": {"n_ctx": self.context}},
            "/tokenize": lambda: {
                "tokens": [len(word) for word in json.loads(body)["content"].split()]
            },
            "/completion": lambda: self.complete(json.loads(body)),
        }
        if path == "/slots" and self.slots:
            return (json.dumps([{"id": 0, "is_processing": self.busy}]),)
        if path == "/metrics" and self.metrics:
            return ("# HELP llamacpp:requests_processing", "", *self.counts())
        if path in ("/slots", "/metrics"):
            return (json.dumps({"error": {"code": 501, "message": "not supported"}}),)
        return (json.dumps(answers[path]()),)

    def counts(self) -> tuple[str, str]:
        return f"llamacpp:requests_processing {int(self.busy)}", "llamacpp:requests_deferred 0"

    def complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        self.prompts.append(asked["prompt"])
        count = len(asked["prompt"])
        return {
            "timings": {
                "prompt_n": count - self.cached,
                "prompt_per_second": 100.0 + len(self.prompts),
                "predicted_n": asked["n_predict"] - self.cut,
                "predicted_ms": (asked["n_predict"] - 1) * count * self.per_token_ms / 10,
            }
        }


def asked_of(server: Server, **options: Any) -> RoleHost:
    data = {
        "bench_prompt_tokens": (1000, 50), "bench_decode_tokens": 20, "bench_repeat": 3,
        "bench_timeout_s": 60, **options,
    }  # fmt: skip
    host = box(machine("ryzen"), **data)
    host.answers["curl --config"] = server
    return host


def test_prompts_of_each_length_are_asked_and_kept_beside_older_results() -> None:
    server = Server()
    host = asked_of(server)
    sent = host.run(operations.measure_server)
    assert host.refusal is None
    assert [len(prompt) for prompt in server.prompts[1:]] == [50, 50, 50, 1000, 1000, 1000]
    assert all(asked["cache_prompt"] is False for asked in server.asked)
    assert {asked["n_predict"] for asked in server.asked[1:]} == {20}
    assert sent[-1].endswith("cat >> /var/lib/boxwright/bench.jsonl")
    before, line, after = host.stdin[-1].split("\n")
    assert before == after == ""
    record = BenchRecord(**json.loads(line))
    assert (record.model, record.quant) == ("tiny", "Q8_0")
    short, long = record.points
    # the first of seven answers warms up
    assert short.prefill_tok_s == (102.0, 103.0, 104.0)
    assert short.prefill == (102.0, 103.0, 104.0)
    assert (short.decode[1], long.decode[1]) == (20.0, 1.0)


def test_no_two_prompts_begin_alike_and_none_repeats_itself() -> None:
    """Nothing is answered from a cache, and drafts and caches of experts have nothing to copy."""
    server = Server()
    asked_of(server).run(operations.measure_server)
    beginnings = [tuple(prompt[:12]) for prompt in server.prompts]
    assert len(set(beginnings)) == 7
    words = prompts.text(4096, 0).split()
    assert len(words) > 4096
    sixes = [tuple(words[at : at + 6]) for at in range(len(words) - 5)]
    assert len(set(sixes)) > 0.99 * len(sixes)
    assert prompts.text(64, 1) == prompts.text(64, 1) != prompts.text(64, 2)


@pytest.mark.parametrize(
    ("server", "options", "words"),
    [
        (Server(cached=3), {}, ("13 tokens of a prompt of 16", "server_extra_args")),
        (Server(cut=2), {}, ("14 of 16 tokens", "server_extra_args")),
        (Server(per_token_ms=0.0), {}, ("told no speed",)),
        (Server(busy=True), {}, ("answering somebody", "idle")),
        (Server(busy=True, slots=False), {}, ("answering somebody", "idle")),
        (Server(context=60), {}, ("60 tokens of context", "bench_prompt_tokens")),
        (Server(), {"bench_prompt_tokens": ("64",)}, ("bench_prompt_tokens is '64'", "correct")),
        (Server(), {"bench_decode_tokens": -1}, ("bench_decode_tokens is -1, needs", "from 8")),
        (Server(), {"bench_repeat": "x"}, ("bench_repeat is 'x'", "correct")),
        (lambda host: ("<html>bad gateway</html>",), {}, ("bad gateway", "deploy/all.py")),
    ],
    ids=[
        "cached", "cut", "no-speed", "busy", "busy-by-count", "short-context",
        "length-of-text", "endless", "repeat-of-text", "no-server",
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_with_the_cure_and_nothing_is_kept(
    server: Any, options: dict[str, Any], words: tuple[str, ...]
) -> None:
    host = asked_of(server, **options)
    host.run(operations.measure_server)
    assert host.refusal is not None
    assert all(word in host.refusal for word in words), host.refusal
    assert not any("bench.jsonl" in text for text in host.sent)


def test_a_busy_server_is_refused_before_anything_is_measured() -> None:
    host = asked_of(Server(busy=True))
    host.run(operations.find_idle)
    assert host.refusal is not None and "answering somebody" in host.refusal
    for server in (Server(), Server(slots=False), Server(slots=False, metrics=False)):
        idle = asked_of(server)
        idle.run(operations.find_idle)
        assert idle.refusal is None
    assert any("does not tell" in text for text in idle.logged)


def test_one_length_needs_no_brackets() -> None:
    server = Server()
    host = asked_of(server, bench_prompt_tokens=50)
    host.run(operations.measure_server)
    assert host.refusal is None
    assert {len(prompt) for prompt in server.prompts[1:]} == {50}


def test_prompts_that_the_context_does_not_hold_are_left_out() -> None:
    assert prompts.lengths((4096, 64, 64), 128, 4096) == (64,)
    assert prompts.lengths((4096, 64), 128, 4224) == (64, 4096)
    assert prompts.lengths((0, -5), 128, 4096) == ()


def test_a_point_tells_least_median_and_most() -> None:
    point = BenchPoint(64, (90.0, 110.0, 100.0), (9.0, 9.5, 8.5))
    assert point.prefill == (90.0, 100.0, 110.0)
    assert point.decode == (8.5, 9.0, 9.5)

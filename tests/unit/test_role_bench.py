"""The bench role: what the server is asked, what is kept of its answers, how RAM is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from boxwright.facts import BenchPoint, BenchRecord
from boxwright.operation import apt, modules_digest
from roles.bench import bandwidth, memory, operations, prompts
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


# -- host RAM ----------------------------------------------------------------------------------

# as sysbench 1.0.20 printed it here
SYSBENCH = (
    "Total operations: 293 (   97.40 per second)",
    "75008.00 MiB transferred (24933.85 MiB/sec)",
    "    total time:                          3.0078s",
)


def test_every_node_reads_its_own_memory_at_the_same_time() -> None:
    text = bandwidth.script([("0-19,40-59", 20), ("20-39,60-79", 20)], 64)
    runs = [line for line in text.splitlines() if "sysbench" in line]
    assert [line.split()[:3] for line in runs] == [
        ["taskset", "-c", "0-19,40-59"], ["taskset", "-c", "20-39,60-79"]
    ]  # fmt: skip
    assert all("--threads=20 " in line and line.endswith("&") for line in runs)
    assert text.splitlines()[-1] == "wait"
    anywhere = bandwidth.script([("", 2)], 64).splitlines()[1]
    assert anywhere.startswith("sysbench ") and "--threads=2 " in anywhere


def test_a_node_reads_with_its_own_cores() -> None:
    """Half of a Threadripper 2990WX's nodes have no memory: their cores read elsewhere."""
    assert bandwidth.cores_of("0-7,32-39", cores=32, threads=64) == 8
    assert bandwidth.cores_of("0,2,4,6", cores=8, threads=8) == 4
    assert bandwidth.cores_of("5", cores=8, threads=16) == 1


@pytest.mark.parametrize(
    ("cores", "available_mib", "block_mib"),
    [(40, 20_000, 64), (128, 12_000, 32), (16, 1024, 32), (16, 1000, None), (0, 64, 32)],
)
def test_blocks_leave_half_of_what_is_available(
    cores: int, available_mib: int, block_mib: int | None
) -> None:
    found = bandwidth.block_mib(cores, available_mib)
    assert found == block_mib
    if found is not None:
        assert cores * found <= available_mib / 2 and found & (found - 1) == 0


def test_the_nodes_answers_add_up_and_none_may_be_missing() -> None:
    both = [*SYSBENCH, "90880.00 MiB transferred (30232.02 MiB/sec)"]
    assert bandwidth.read_gb_s(both, 2) == pytest.approx((24933.85 + 30232.02) * 1.048576 / 1000)
    assert bandwidth.read_gb_s(SYSBENCH, 2) is None
    assert bandwidth.read_gb_s((), 1) is None


def reading(**changes: Any) -> RoleHost:
    host = box(machine("xeon"), bench_memory=True)
    host.install("sysbench", version="1.0.20")
    host.answers["sysbench memory"] = (*SYSBENCH, *SYSBENCH)
    return replace(host, **changes) if changes else host


def test_what_was_read_is_kept_whole_where_the_probe_finds_it() -> None:
    host = reading()
    host.run(memory.measure_memory)
    assert "/var/lib/boxwright/memory.json" in host.sent[-1] and "mv -T" in host.sent[-1]
    kept = json.loads(host.stdin[-1])
    assert kept == {"read_gb_s": 52.3, "modules": modules_digest(machine("xeon"))}


def test_a_failed_reading_keeps_nothing_and_lets_the_server_be_measured() -> None:
    host = reading(answers={"sysbench memory": ("FATAL: out of memory",)})
    host.run(memory.measure_memory)
    assert host.refusal is None and len(host.sent) == 1
    assert any("FATAL: out of memory" in text for text in host.logged)


def test_sysbench_is_installed_where_it_can_be_had_and_asked_for() -> None:
    host = box(machine("xeon"), bench_memory=True)
    host.facts[apt.Candidates] = {}
    assert host.run(memory.have_sysbench) == []
    assert "no source of packages has sysbench" in host.noops[-1]
    assert host.run(memory.measure_memory) == []
    host.facts[apt.Candidates] = {"sysbench": "1.0.20"}
    assert any("install" in text and "sysbench" in text for text in host.run(memory.have_sysbench))
    unwanted = box(machine("xeon"), bench_memory=False)
    assert unwanted.run(memory.have_sysbench) == unwanted.run(memory.measure_memory) == []

"""`boxwright bench` on a real host: what it asks and keeps, and what it leaves as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far, key_of
from tests.lab.runs import ROOT, Run, environment, run, variant

pytestmark = pytest.mark.lab

HOST = "xeon"  # its login is no root's: everything goes through sudo
# a prompt of 8 tokens or less has kernels of its own, which the lab's compiled shaders lack
OPTIONS = {
    "bench_prompt_tokens": (12, 24, 100_000), "bench_decode_tokens": 8, "bench_repeat": 2
}  # fmt: skip
ASKED = 2 * 2 * 8  # tokens: repetitions of two prompts that fit, with eight each
COUNTER = "llamacpp:tokens_predicted_total"


def boxwright(lab: RunningLab, *words: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "boxwright.cli.main", *words, "--json"],
        cwd=ROOT, env=environment(lab), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr[-4000:]


def predicted_total(lab: RunningLab) -> float:
    """How many tokens the server has made since it started, by its own count."""
    headers = {"Authorization": f"Bearer {key_of(lab)}"}
    text = httpx.get(f"{Far(lab, HOST).base_url}/metrics", headers=headers, timeout=60).text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(COUNTER)))


@contextmanager
def answering(lab: RunningLab) -> Iterator[None]:
    """While this holds, the server is busy with a long answer for somebody else."""
    url, headers = Far(lab, HOST).base_url, {"Authorization": f"Bearer {key_of(lab)}"}
    long = {"prompt": "once", "n_predict": 3000, "ignore_eos": True, "stream": True}
    with (
        httpx.Client(timeout=120, headers=headers) as client,
        client.stream("POST", f"{url}/completion", json=long) as answer,
    ):
        lines = answer.iter_lines()  # without a name it would be closed, and the answer with it
        next(lines)
        yield


def wait_until_idle(lab: RunningLab) -> None:
    url, headers = Far(lab, HOST).base_url, {"Authorization": f"Bearer {key_of(lab)}"}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        slots = httpx.get(f"{url}/slots", headers=headers, timeout=60).json()
        if not any(slot["is_processing"] for slot in slots):
            return
        time.sleep(0.5)
    pytest.fail("the server stays busy")


@pytest.fixture(scope="module")
def first(
    lab: RunningLab, converged: Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What the first bench of this host tells; its server made the tokens that were asked for."""
    inventory = variant(tmp_path_factory.mktemp("bench"), {HOST: OPTIONS}, [HOST])
    Far(lab, HOST).said("rm -f /var/lib/boxwright/bench.jsonl /var/lib/boxwright/memory.json")
    before = predicted_total(lab)
    code, told = boxwright(lab, "bench", inventory)
    assert code == 0, told
    assert predicted_total(lab) - before >= ASKED
    found: dict[str, Any] = told["hosts"][HOST]
    return found


def test_the_server_is_measured_and_what_was_measured_is_what_a_plan_tells(
    lab: RunningLab, first: dict[str, Any], tmp_path: Path
) -> None:
    inventory, far, host = variant(tmp_path, {HOST: OPTIONS}, [HOST]), Far(lab, HOST), first
    assert host["state"] == "measured" and host["before"] is None
    assert [point["prompt_tokens"] for point in host["points"]] == [12, 24]

    kept = json.loads(far.said("cat /var/lib/boxwright/bench.jsonl").splitlines()[0])
    assert [len(point["decode_tok_s"]) for point in kept["points"]] == [2, 2]
    assert sorted(kept["points"][0]["decode_tok_s"])[0] == host["points"][0]["decode_tok_s"][0] > 0
    memory = json.loads(far.said("cat /var/lib/boxwright/memory.json"))
    assert memory["read_gb_s"] == host["memory_read_gb_s"] > 0.1
    assert far.said("stat -c %a /var/lib/boxwright/bench.jsonl") == "644"
    assert far.run("pgrep sysbench").returncode == 1

    code, facts = boxwright(lab, "facts", inventory)
    assert (code, facts["hosts"][HOST]["memory"]["measured"]) == (0, memory)
    code, planned = boxwright(lab, "plan", inventory)
    speed = planned["hosts"][HOST]["speed"]
    assert (code, speed["bound_by"]) == (0, "measured")
    assert speed["decode_tok_s"][1] == pytest.approx(host["points"][0]["decode_tok_s"][1], rel=0.01)


def test_a_second_bench_stands_beside_the_first_and_the_host_stays_converged(
    lab: RunningLab, first: dict[str, Any], tmp_path: Path
) -> None:
    inventory, far = variant(tmp_path, {HOST: OPTIONS}, [HOST]), Far(lab, HOST)
    older = far.said("tail -n 1 /var/lib/boxwright/bench.jsonl")
    code, told = boxwright(lab, "bench", inventory)
    assert code == 0, told
    host = told["hosts"][HOST]
    assert host["before"]["at_epoch_s"] == json.loads(older)["at_epoch_s"] < host["at_epoch_s"]
    assert older in far.said("cat /var/lib/boxwright/bench.jsonl").splitlines()
    again = run(lab, inventory)
    assert (again.code, again.totals["success"], again.totals["error"]) == (0, 0, 0)


def test_while_somebody_is_answered_nothing_is_measured(
    lab: RunningLab, first: dict[str, Any], tmp_path: Path
) -> None:
    inventory, far = variant(tmp_path, {HOST: OPTIONS}, [HOST]), Far(lab, HOST)
    before = far.said("cat /var/lib/boxwright/*.json*")
    with answering(lab):
        code, told = boxwright(lab, "bench", inventory)
    wait_until_idle(lab)
    assert code == 3, told
    assert told["hosts"][HOST]["state"] == "refused"
    assert "answering somebody" in told["hosts"][HOST]["reason"]
    assert "Cure:" in told["hosts"][HOST]["reason"]
    assert far.said("cat /var/lib/boxwright/*.json*") == before

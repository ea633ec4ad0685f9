"""`boxwright bench` as table and JSON: measured, expected, and measured before."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

from rich.console import Console

from boxwright.cli.benched import Benched, BenchOutcome
from boxwright.cli.run import HostRun, RunOutcome
from boxwright.facts import BenchPoint, BenchRecord
from boxwright.plan.results import Speed
from tests.unit.plans import machine

BEGAN = 1_800_000_000
PREDICTED = Speed((8.0, 10.0, 13.0), (60.0, 90.0, 130.0), "host memory bandwidth")
RECORD = BenchRecord(
    release="b11669-12.8-x86_64", model="qwen3.5-122b-a10b", quant="Q4_K_M", args_digest="d",
    hardware="h", driver="580.95.05", boot_id="b", at_epoch_s=BEGAN + 60,
    points=(
        BenchPoint(64, (50.0, 51.0, 52.0), (9.9, 10.1, 10.0)),
        BenchPoint(4096, (88.0, 91.0, 90.0), (9.0, 9.1, 9.2)),
    ),
)  # fmt: skip
OLD = replace(
    RECORD, at_epoch_s=BEGAN - 86400 * 30, release="b11434-12.8-x86_64",
    points=(BenchPoint(64, (50.0,), (12.5,)),),
)  # fmt: skip


def benched(*records: BenchRecord, began: int = BEGAN) -> Benched:
    memory = {"measured": {"read_gb_s": 118.4, "modules": "0" * 16}}
    return Benched.of(records, machine("xeon", memory=memory), began, PREDICTED)


def outcome(hosts: dict[str, Benched | None], **runs: HostRun) -> BenchOutcome:
    states = {name: runs.get(name, HostRun("changed", 2)) for name in hosts}
    return BenchOutcome(RunOutcome("lab.py", "deploy/bench.py", states), hosts)


def text_of(made: BenchOutcome) -> str:
    paper = StringIO()
    Console(width=220, file=paper).print(made.picture())
    return paper.getvalue()


def test_measured_stands_beside_expected_and_before() -> None:
    made = outcome({"xeon": benched(OLD, RECORD)})
    assert made.exit_code == 0
    host = made.document()["hosts"]["xeon"]
    assert host["state"] == "measured" and host["memory_read_gb_s"] == 118.4
    assert host["points"][0] == {
        "prompt_tokens": 64,
        "prefill_tok_s": [50.0, 51.0, 52.0],
        "decode_tok_s": [9.9, 10.0, 10.1],
    }
    assert host["predicted"]["decode_tok_s"] == [8.0, 10.0, 13.0]
    assert host["before"]["release"] == "b11434-12.8-x86_64"
    text = text_of(made)
    assert "10.0 (8.0 to 13.0)" in text, "what was expected"
    assert "10.0 (9.9 to 10.1)" in text, "what was measured"
    assert "90.0 (60.0 to 130.0)" in text and "90.0 (88.0 to 91.0)" in text
    assert "12.5 (-20%)" in text and "b11434-12.8-x86_64 and driver 580.95.05" in text
    assert "118.4 GB/s" in text


def test_earlier_results_of_another_model_are_nothing_to_compare_with() -> None:
    other = replace(OLD, quant="Q8_0")
    assert benched(OLD, other, RECORD).before == OLD
    assert benched(other, RECORD).before is None


def test_an_earlier_result_of_another_set_up_is_told_so() -> None:
    assert "set up otherwise" not in text_of(outcome({"xeon": benched(OLD, RECORD)}))
    other = replace(OLD, args_digest="other")
    assert "set up otherwise" in text_of(outcome({"xeon": benched(other, RECORD)}))


def test_a_host_that_was_refused_is_named_with_its_reason() -> None:
    busy = HostRun("refused", 0, "the server is answering somebody. Cure: wait.")
    made = outcome({"xeon": benched(OLD), "ryzen": benched(RECORD)}, xeon=busy)
    assert made.exit_code == 3
    assert made.document()["hosts"]["xeon"] == {"state": "refused", "reason": busy.reason}
    assert "answering somebody" in text_of(made)


def test_a_host_that_kept_no_result_or_is_silent_is_a_failure() -> None:
    assert outcome({"xeon": benched(OLD)}).exit_code == 1
    silent: dict[str, Any] = {"xeon": None}
    assert outcome(silent).exit_code == 1
    assert "xeon" in text_of(outcome(silent))

"""The proof before the download: what is asked of llama-fit-params, and what is made of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from boxwright import facts
from boxwright.plan.results import (
    DeviceMemory,
    HostMemory,
    MemoryPlan,
    ModelFile,
    Refusal,
    Reserve,
)
from boxwright.supply import ResolvedModel
from roles.server import fit, rehearsal
from tests.unit.plans import installed, machine, tiny
from tests.unit.role_host import RoleHost, box

# as b11669 printed it for a model with experts in host RAM, its log lines left in
ANSWER = (
    "0.00.199.691 I llama_fit_params: printing estimated memory in MiB to stdout (device, …) ...",
    "CUDA0 2700 204 446 ",
    "CUDA1 2868 213 300 ",
    "Host 62980 0 116 ",
)
SERVER = (
    "--model", "/srv/models/a.gguf", "--host", "0.0.0.0", "--n-gpu-layers", "all", "--cpu-moe",
    "--tensor-split", "1,1", "--fit", "off", "--ctx-size", "32768", "--parallel", "1",
    "--cache-type-k", "q8_0", "--ubatch-size", "512", "--threads", "40", "--load-mode", "mlock",
)  # fmt: skip
RESERVE = Reserve(cuda_context_mib=300, op_offload_mib=432, margin_mib=512)


def memory(total_mib: int = 16384, host_total_mib: int = 128750) -> MemoryPlan:
    devices = tuple(
        DeviceMemory(f"0000:0{n}:00.0", 2700, 204, 446, RESERVE, total_mib) for n in (3, 4)
    )
    return MemoryPlan(devices, HostMemory(62980, 116, 2048, 4096, host_total_mib))


def test_only_what_memory_depends_on_is_asked() -> None:
    assert fit.asked(SERVER) == (
        "--n-gpu-layers", "all", "--cpu-moe", "--tensor-split", "1,1", "--ctx-size", "32768",
        "--parallel", "1", "--cache-type-k", "q8_0", "--ubatch-size", "512",
        "--no-repack", "--fit-print", "on",
    )  # fmt: skip


def test_a_measurement_holds_for_its_build_arguments_and_files_only() -> None:
    first = fit.digest_of("b1-12.8-x86_64", SERVER, ["a"])
    threads = tuple("20" if word == "40" else word for word in SERVER)
    assert fit.digest_of("b1-12.8-x86_64", threads, ["a"]) == first
    longer = tuple("65536" if word == "32768" else word for word in SERVER)
    others = {
        fit.digest_of("b2-12.8-x86_64", SERVER, ["a"]),
        fit.digest_of("b1-12.8-x86_64", longer, ["a"]),
        fit.digest_of("b1-12.8-x86_64", SERVER, ["b"]),
    }
    assert len(others | {first}) == 4


def test_rows_are_read_between_the_lines_of_a_log() -> None:
    rows = fit.measured(ANSWER)
    assert [(row.name, row.sum_mib) for row in rows] == [
        ("CUDA0", 3350), ("CUDA1", 3381), ("Host", 63096)
    ]  # fmt: skip
    assert fit.judged(memory(), rows) is None
    assert fit.deviations(memory(), rows) == ()


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (memory(total_mib=4624), ("CUDA1", "4625 MiB", "4624 MiB", "VRAM")),
        (memory(host_total_mib=69239), ("the host", "69240 MiB", "69239 MiB", "RAM")),
        (replace(memory(), devices=memory().devices[:1]), ("2 devices", "CUDA0, CUDA1", "uses 1")),
    ],
)
def test_what_does_not_fit_with_its_reserve_is_refused(
    plan: MemoryPlan, words: tuple[str, ...]
) -> None:
    refusal = fit.judged(plan, fit.measured(ANSWER))
    assert isinstance(refusal, Refusal)
    assert all(word in refusal.sentence() for word in words), refusal.sentence()


def test_a_plan_that_is_far_off_is_told() -> None:
    rows = fit.measured(("CUDA0 2700 204 520", "CUDA1 2700 204 446", "Host 60000 0 116"))
    assert len(fit.deviations(memory(), rows)) == 2
    assert "Host needs 60116 MiB" in fit.deviations(memory(), rows)[1]


# -- the body ----------------------------------------------------------------------------------

FITS = "CUDA0 10 2 30", "CUDA1 10 2 30", "Host 5 0 6"
FILES = {"type": "file", "mode": 755}


def xeon() -> RoleHost:
    on = machine("xeon", nvidia=installed("580.126.09", "proprietary", "580.126.09"))
    host = box(on)
    host.facts[facts.FitRecords] = ()
    host.facts[rehearsal.File] = lambda path: FILES if "fit-params" in path else None
    return host


def test_a_build_that_is_not_there_yet_is_not_asked() -> None:
    host = xeon()
    host.facts[rehearsal.File] = lambda path: None
    assert host.run(rehearsal.rehearse) == []


def test_a_model_on_the_disk_is_measured_as_it_lies_and_only_once() -> None:
    host = xeon()
    host.answers["llama-fit-params"] = FITS
    sent = host.run(rehearsal.rehearse)
    (asked,) = [text for text in sent if "llama-fit-params" in text]
    assert asked.startswith("cd / && runuser -u llama --")
    assert "--model /srv/models/tiny/Q8_0/tiny.gguf" in asked and "curl" not in "".join(sent)
    record = json.loads(host.stdin[-1])
    assert [row["name"] for row in record["devices"]] == ["CUDA0", "CUDA1", "Host"]
    assert record["devices"][0]["compute_mib"] == 30

    rows = tuple(facts.FitRow(**row) for row in record["devices"])
    kept = facts.FitRecord(record["digest"], record["release"], record["model"], 1, rows)
    host.facts[facts.FitRecords] = (kept,)
    assert host.run(rehearsal.rehearse) == []


def test_a_model_that_the_build_finds_too_large_is_refused_and_not_recorded() -> None:
    host = xeon()
    host.answers["llama-fit-params"] = ("CUDA0 99000 2 30", "CUDA1 10 2 30", "Host 5 0 6")
    host.run(rehearsal.rehearse)
    assert host.refusal is not None and "CUDA0" in host.refusal and "16384" in host.refusal
    assert "nothing of the model was fetched" in host.refusal
    assert not any("fit.jsonl" in text for text in host.sent)


def test_a_model_that_the_build_does_not_know_is_refused_with_its_word() -> None:
    host = xeon()
    host.answers["llama-fit-params"] = ("error: unknown model architecture: 'new'",)
    host.run(rehearsal.rehearse)
    assert host.refusal is not None and "unknown model architecture: 'new'" in host.refusal


class NothingThere:
    """Stands for the fact of an empty model disk, beside a plan that was made from a stamp."""


def test_of_a_model_that_is_elsewhere_only_the_header_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = ModelFile("tiny.gguf", tiny().file_bytes, "b" * 64)
    resolved = ResolvedModel((file,), "a" * 40, replace(tiny(), header_bytes=(4096,)))
    monkeypatch.setattr(rehearsal, "model_for_host", lambda: resolved)
    monkeypatch.setattr(rehearsal, "Models", NothingThere)
    host = xeon()
    host.facts[NothingThere] = facts.ModelsState()
    host.answers["llama-fit-params"] = FITS
    sent = host.run(rehearsal.rehearse)
    (fetched,) = [text for text in sent if "boxwright-header" in text]
    assert f"/var/lib/boxwright/rehearsal/tiny.gguf 4096 {tiny().file_bytes}" in fetched
    assert any("/resolve/" + "a" * 40 in text for text in host.stdin)
    (asked,) = [text for text in sent if "llama-fit-params" in text]
    assert "--model /var/lib/boxwright/rehearsal/tiny.gguf" in asked
    assert "rm -rf -- /var/lib/boxwright/rehearsal" in sent

"""`boxwright explain` as a command: ids, names and machine reports in, text or a JSON list out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from boxwright.cli.main import main

MACHINES = Path(__file__).resolve().parents[1] / "fixtures" / "machines"
XEON, RYZEN = MACHINES / "xeon.json", MACHINES / "ryzen.json"
KEYS = {
    "id", "name", "chip", "generation", "compute_capability", "vram_mib", "driver", "install",
    "cuda", "refusal", "warnings",
}  # fmt: skip


def run(*words: str, input: str | None = None) -> Result:
    return CliRunner().invoke(main, ["explain", *words], input=input)


def entries(*words: str, input: str | None = None) -> list[dict[str, Any]]:
    done = run(*words, "--json", input=input)
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert all(set(entry) >= KEYS for entry in found)
    return found


def test_two_ids_give_a_list_of_two() -> None:
    pascal, blackwell = entries("10de:1bb0", "10de:2b85")
    assert (pascal["id"], pascal["name"]) == ("10de:1bb0", "Quadro P5000")
    assert (pascal["driver"]["branch"], pascal["driver"]["flavour"]) == ("580", "proprietary")
    assert pascal["install"] == {
        "branch": "580", "flavour": "proprietary", "source": "ubuntu-archive",
    }  # fmt: skip
    assert pascal["cuda"] == {"first": "8.0", "last": "12.9"}
    assert (blackwell["generation"], blackwell["driver"]["flavour"]) == ("Blackwell", "open")
    assert blackwell["cuda"] == {"first": "12.8", "last": None}


@pytest.mark.parametrize("spelling", ["1bb0", "0x1bb0", "0x1BB0", "10DE:1BB0", "0x10de:0x1bb0"])
def test_one_id_in_every_spelling(spelling: str) -> None:
    assert entries(spelling) == entries("10de:1bb0")


def test_a_bare_number_is_the_name_that_people_mean() -> None:
    assert [one["name"] for one in entries("3090")] == ["GeForce RTX 3090"]
    assert {one["generation"] for one in entries("a100")} == {"Ampere"}
    assert entries("10de:3090")[0]["generation"] == "Rubin"


def test_a_refused_card_is_an_entry_and_no_failure() -> None:
    (entry,) = entries("10de:102d")
    assert entry["refusal"]["reason"] and entry["refusal"]["cure"]
    assert entry["driver"]["branch"] is None and entry["install"]["branch"] is None
    assert "REFUSED: Tesla K80" in run("K80").stdout


def test_the_cards_of_a_report_are_told_with_their_places() -> None:
    found = entries(str(XEON))
    assert [one["pci"] for one in found] == [gpu["pci"] for gpu in _report(XEON)["gpus"]]
    assert {one["host"] for one in found} == {"xeon"}
    assert "in xeon at 0000:03:00.0" in run(str(XEON)).stdout


def test_reports_come_singly_as_a_list_as_facts_print_them_and_from_standard_input(
    tmp_path: Path,
) -> None:
    both, facts = tmp_path / "both.json", tmp_path / "facts.json"
    both.write_text(json.dumps([_report(XEON), _report(RYZEN)]))
    hosts = {"a": _report(XEON), "b": _report(RYZEN)}
    facts.write_text(json.dumps({"schema": "boxwright.facts/1", "hosts": hosts, "failed": {}}))
    singly = entries(str(XEON), str(RYZEN))
    assert entries(str(both)) == singly == entries(str(facts))
    assert entries("-", input=both.read_text()) == singly


def test_a_machine_without_a_card_is_no_failure(tmp_path: Path) -> None:
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps({**_report(XEON), "gpus": []}))
    done = run(str(bare), "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    assert "no graphics card" in done.stderr


@pytest.mark.parametrize(
    "wrong", ["no-such-card", "10de:", "10de:12345", "zz:1bb0", "geforce", "", "x" * 5000]
)
def test_what_cannot_be_read_is_one_sentence_and_exit_2(wrong: str) -> None:
    done = run(wrong)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1


def test_damaged_reports_are_sentences(tmp_path: Path) -> None:
    damaged, foreign = tmp_path / "damaged.json", tmp_path / "foreign.json"
    damaged.write_text("{")
    card = {"pci": "0000:01:00.0", "id": "10de:what"}
    foreign.write_text(json.dumps({**_report(XEON), "gpus": [card]}))
    for file in (damaged, foreign):
        done = run(str(file))
        assert done.exit_code == 2 and not isinstance(done.exception, ValueError)
        assert done.stderr.startswith("Error: ")


def test_what_can_be_read_is_told_beside_what_cannot() -> None:
    done = run("what?", "10de:1bb0", "--json")
    assert done.exit_code == 0
    assert [entry["id"] for entry in json.loads(done.stdout)] == ["10de:1bb0"]
    assert "'what?'" in done.stderr


def test_the_text_tells_a_buyer_what_to_know() -> None:
    text = " ".join(run("Tesla P40", "10de:10ef", "1002:744c", "10de:3fff").stdout.split())
    for words in ("346 GB/s", "250 W", "no fans", "PTX 61-virtual", "CUDA 12.8 line", "580",
                  "no graphics card", "AMD card: it is left alone", "not known yet"):  # fmt: skip
        assert words in text


def _report(file: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(file.read_text())
    return report

"""The parts of the CLI that need no host: finding things, reading reports, options, bars."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from boxwright.cli.bars import BAR_CELLS, bar
from boxwright.cli.checkout import find_checkout, find_inventory
from boxwright.cli.outcome import Sentence
from boxwright.cli.picture import picture_of
from boxwright.cli.reports import read_machines
from boxwright.cli.wishes import overrides_from
from tests.unit.plans import machine, planned, qwen35_122b

ROOT = Path(__file__).resolve().parents[2]
REPORT = {
    "schema": "boxwright.machine/1",
    "hostname": "box",
    "os": {"id": "debian", "version_id": "13", "kernel": "6.12", "arch": "x86_64"},
    "cpu": {"model": "a cpu", "sockets": 1, "cores": 4, "threads": 8},
    "memory": {"total_mib": 8192, "available_mib": 8000},
}


def test_the_checkout_is_found_from_a_directory_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOXWRIGHT_HOME", raising=False)
    monkeypatch.chdir(ROOT / "inventories" / "group_data")
    assert find_checkout() == ROOT


def test_boxwright_home_names_the_checkout_from_anywhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BOXWRIGHT_HOME", str(ROOT))
    assert find_checkout() == ROOT


def test_without_a_checkout_the_sentence_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BOXWRIGHT_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Sentence, match="BOXWRIGHT_HOME") as raised:
        find_checkout()
    assert raised.value.exit_code == 2


def test_boxwright_home_that_is_no_checkout_is_said_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BOXWRIGHT_HOME", str(tmp_path))
    with pytest.raises(Sentence, match="holds no Boxwright checkout"):
        find_checkout()


def test_an_inventory_is_a_file_here_or_in_the_checkout_or_a_connector(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("hosts = ['a']")
    assert find_inventory("mine.py", ROOT) == str(tmp_path / "mine.py")
    assert find_inventory("inventories/lab.py", ROOT) == str(ROOT / "inventories/lab.py")
    assert find_inventory("@local", None) == "@local"


def test_a_misspelt_inventory_is_not_taken_for_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(Sentence, match=r"there is no inventory inventories/lba\.py") as raised:
        find_inventory("inventories/lba.py", ROOT)
    assert raised.value.exit_code == 2
    assert raised.value.message.count(str(ROOT)) == 1, "where it was looked for"


def test_reports_are_keyed_by_hostname_and_a_second_equal_one_gets_a_suffix(tmp_path: Path) -> None:
    one, fleet = tmp_path / "one.json", tmp_path / "fleet.json"
    one.write_text(json.dumps(REPORT))
    fleet.write_text(json.dumps({"hosts": {"x": REPORT, "y": {**REPORT, "hostname": "other"}}}))
    assert list(read_machines([one, fleet])) == ["box", "box-2", "other"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no JSON"),
        ("{}", "schema"),
        ("[1]", "schema"),
        (json.dumps({**REPORT, "cpu": {"model": "x"}}), "cpu.sockets"),
    ],
)
def test_a_file_that_is_no_report_is_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "broken.json"
    file.write_text(content)
    with pytest.raises(Sentence, match=said) as raised:
        read_machines([file])
    assert raised.value.exit_code == 1
    assert "broken.json" in raised.value.message


def test_a_missing_report_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Sentence, match="cannot be read"):
        read_machines([tmp_path / "absent.json"])


def test_command_line_wishes_become_options_and_the_rest_stays_the_inventory_s() -> None:
    given = {"model": None, "ctx": 8192, "gpus": 1, "cpu_moe": True, "tensor_split": "3,2"}
    assert overrides_from(given) == {
        "server_context": 8192,
        "gpu_count": 1,
        "server_placement": "cpu-moe",
        "server_tensor_split": (3.0, 2.0),
    }


@pytest.mark.parametrize("text", ["a,b", "1,,2", "-1,2", "0,0", " "])
def test_a_tensor_split_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(Sentence, match="--tensor-split") as raised:
        overrides_from({"tensor_split": text})
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("model_mib", [1, 100, 4000, 7900])
def test_a_bar_shows_every_part_and_is_as_long_as_promised(model_mib: int) -> None:
    text = bar({"model": model_mib, "context": 50, "compute": 0}, 8192).plain
    assert len(text) == BAR_CELLS + 2
    assert text.count("█") == pytest.approx(model_mib * BAR_CELLS / 8192, abs=1)
    assert text.count("▓") == 1 and "▒" not in text and "·" in text


def test_a_bar_that_does_not_fit_is_marked_and_has_no_free_cells() -> None:
    text = bar({"model": 9000, "reserve": 500}, 8192).plain
    assert text.endswith("]!") and "·" not in text


def test_the_text_says_what_becomes_of_a_driver_that_is_there() -> None:
    there = {"installed": "595.58.03", "userspace": "595.58.03", "flavour": "open"}
    on = machine("xeon", nvidia={**there, "loaded": "595.58.03"})
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(picture_of("xeon", on, planned(on)))
    text = console.export_text()
    assert "580 proprietary, ubuntu-archive, replaces what is there, reboots" in text
    assert "595.58.03" in text


def drawn(name: str, width: int) -> str:
    on = machine(name)
    made = planned(on, qwen35_122b())
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(picture_of(name, on, replace(made, offers=("server_ubatch = 4096: faster.",))))
    return console.export_text()


@pytest.mark.parametrize("width", [70, 80, 120])
@pytest.mark.parametrize("name", ["xeon", "ryzen", "plain"])
def test_nothing_is_cut_off_where_a_terminal_is_narrow(name: str, width: int) -> None:
    """Bars, numbers and arguments are whole: whoever reads them may copy them."""

    def signs(shown: str) -> str:
        return "".join(one for one in shown if one.isalnum() or one in "█▓▒░·…")

    narrow = drawn(name, width)
    assert max(map(len, narrow.splitlines())) <= width
    assert signs(narrow) == signs(drawn(name, 400))
    assert "…" not in narrow


@pytest.mark.parametrize("name", ["xeon", "ryzen", "plain"])
def test_a_bar_stays_one_line_where_there_is_little_room(name: str) -> None:
    """Of 34 cells at most in 40 columns: frame, blanks and brackets take the others."""
    drawings = [line.strip("│ ") for line in drawn(name, 40).splitlines()]
    found = [line for line in drawings if line.startswith("[")]
    assert len(found) == len(machine(name).gpus) + 1
    for line in found:
        assert re.fullmatch(r"\[[█▓▒░▚▞·]{30,34}\]!?", line), line


def test_what_is_no_style_is_not_taken_for_one() -> None:
    on = machine("ryzen", cpu={"model": "AMD [red]Ryzen[/red] 9 9950X"})
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(picture_of("a[b]", on, planned(on)))
    text = console.export_text()
    assert "AMD [red]Ryzen[/red] 9" in text and "a[b]" in text


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({}, "32768 tokens of context to one user (KV cache q8_0), at http://127.0.0.1:8080"),
        ({"server_host": "::1"}, "at http://[::1]:8080, to this machine only"),
        (
            {"server_parallel": 4, "server_cache_type": "f16"},
            "8192 tokens of context to each of 4 users (KV cache f16)",
        ),
        (
            {"server_host": "192.0.2.7", "server_api_key_set": True},
            "at 192.0.2.7, port 8080, to whoever has the API key",
        ),
    ],
)
def test_the_picture_says_what_users_get_and_where(wishes: dict[str, Any], said: str) -> None:
    console = Console(width=400, record=True, file=io.StringIO())
    on = machine("ryzen")
    console.print(picture_of("ryzen", on, planned(on, qwen35_122b(), **wishes)))
    assert said in console.export_text()

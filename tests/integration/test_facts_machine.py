"""The Machine fact as pyinfra runs it, and the text that is sent to a host."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from pyinfra.api import FactProcessError, StringCommand
from pyinfra.connectors.util import make_unix_command

from boxwright.facts import Access, Machine, Models, Releases, Service
from boxwright.facts.shell import decoded, script, tagged
from boxwright.machine import Machine as Report
from tests.unit.probing import MACHINES, PROBE, run_script

FACTS = PROBE.parent
XEON = (MACHINES / "xeon.json").read_text().splitlines()


def test_the_fact_reads_this_machine_through_the_shell_that_pyinfra_uses(tmp_path: Path) -> None:
    words = shlex.split(make_unix_command(StringCommand(Machine().command())).get_raw_value())
    text = run_script(words, None, tmp_path, SYSROOT="/nowhere")
    report = Machine().process(text.splitlines())
    assert report.os.kernel == Path("/proc/sys/kernel/osrelease").read_text().strip()


def test_the_text_that_is_sent_tells_the_same_as_the_file(tmp_path: Path) -> None:
    """The file loads its parts itself, from wherever it is called and by whatever name."""
    (tmp_path / "link.sh").symlink_to(PROBE)
    ways = [
        ["sh", "-c", Machine().command()],
        ["sh", str(PROBE)],
        ["sh", "-c", f"cd {shlex.quote(str(PROBE.parent))} && sh probe.sh"],
        ["sh", "-c", f"cd {tmp_path} && sh link.sh"],
    ]
    reports = [Machine().process(run_script(way, None, tmp_path).splitlines()) for way in ways]
    told = {(r.os, r.cpu, r.gpus, r.boot_id, r.container, r.secure_boot) for r in reports}
    assert len(told) == 1 and reports[0].cpu.threads > 0


def test_a_runtime_and_a_unit_elsewhere_are_read(tmp_path: Path) -> None:
    release = tmp_path / "it's here" / "current"
    release.mkdir(parents=True)
    (release / "boxwright.json").write_text('{"schema": "x",\n "build" : "b4711", "cuda": null}')
    command = Machine().command(runtime=str(release.parent), unit="no'such.service")
    report = Machine().process(run_script(["sh", "-c", command], None, tmp_path).splitlines())
    assert report.llama.build == "b4711" and report.llama.service == "absent"


@pytest.mark.parametrize("indent", [None, 1])
def test_a_report_is_read_between_what_a_login_shell_says(indent: int | None) -> None:
    document = json.dumps(json.loads("\n".join(XEON)), indent=indent)
    said = ["Welcome, {user}", '{"schema": "motd/1"}', "", *document.splitlines(), "Good bye: }"]
    report = Machine().process(said)
    assert report.hostname == "xeon" and report.cpu.cores == 40


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (["sh: 1: awk: not found"], "no machine report, it begins with 'sh: 1: awk: not found'"),
        (["{"], "no machine report, it begins with '{'"),
        (["", "   "], "no machine report, it begins with ''"),
        (["[]"], "no machine report"),
        (["x" * 5000], "no machine report, it begins with 'x{80}'$"),
        (XEON[:-9], "damaged or cut short"),
        ([json.dumps(json.loads("\n".join(XEON)))[:-40]], "damaged or cut short"),
        (['{"schema": "boxwright.machine/1", "x": ' + "[" * 100_000], "damaged or cut short"),
        (['{"schema": "boxwright.machine/1"}'], "hostname: Field required"),
        (['{"schema": "boxwright.machine/2"}'], "its schema is not boxwright.machine/1"),
    ],
)
def test_anything_else_fails_that_host_alone_with_one_sentence(
    output: list[str], sentence: str
) -> None:
    """FactProcessError is what pyinfra turns into the failure of one host; it shows a cause."""
    with pytest.raises(
        FactProcessError, match=f"^what the probe printed is .*{sentence}"
    ) as raised:
        Machine().process(output)
    assert raised.value.__cause__ is None
    assert "\n" not in str(raised.value)


def test_a_host_that_said_nothing_is_a_machine_without_anything() -> None:
    nothing = Machine.default()
    assert isinstance(nothing, Report)
    assert (nothing.cpu.threads, nothing.memory.total_mib, nothing.os.id) == (0, 0, "")


def test_states_and_reports_are_json_for_pyinfras_fact_command() -> None:
    report = Machine().process([json.dumps(json.loads("\n".join(XEON)))])
    states: list[Any] = [
        report,
        Models.default(),
        Releases.default(),
        Service.default(),
        Access.default(),
    ]
    for state in states:
        assert json.loads(json.dumps(state.to_json()))


def test_what_is_sent_has_no_comments_and_is_quoted() -> None:
    command = Models().command(directory="/srv/it's $HOME")
    assert command.startswith("directory='/srv/it'\"'\"'s $HOME'\n")
    assert not [line for line in command.splitlines() if line.startswith("#")]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    scripts = map(str, FACTS.rglob("*.sh"))
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_lines_without_a_tag_are_no_answer() -> None:
    assert list(tagged(["Last login: today", "a\tb%20c\t%25"])) == [("a", ["b c", "%"])]
    assert decoded("%C3%A9%FF+") == "é\ufffd+"


def test_encode_passes_only_printable_ascii(tmp_path: Path) -> None:
    every = bytes(range(1, 10)) + bytes(range(11, 256))
    (tmp_path / "in").write_bytes(every + b"\n" + "é%\t~ \n".encode() + b"last")
    text = run_script(["sh", "-c", f"{script('encode.sh')}\nencode <{tmp_path}/in"], None, tmp_path)
    lines = text.splitlines()
    assert lines[1:] == ["%C3%A9%25\t~ ", "last"]
    assert all(char == "\t" or " " <= char <= "~" for char in lines[0])
    assert unquote_to_bytes(lines[0]) == every

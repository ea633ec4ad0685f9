"""Models, Releases and DecodeRecords over real directories, with damage in them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from boxwright.facts import DecodeRecord, DecodeRecords, Models, ModelsState, Releases
from boxwright.facts.releases import ReleasesState
from tests.unit.probing import PAIRS, run_script

SHA = "a" * 64


def models(directory: Path | str, scratch: Path, **how: Any) -> ModelsState:
    shell, awk = how.get("shell", ["sh"]), how.get("awk")
    command = Models().command(directory=str(directory))
    return Models().process(run_script([*shell, "-c", command], awk, scratch).splitlines())


def releases(directory: Path, scratch: Path) -> ReleasesState:
    command = Releases().command(directory=str(directory))
    return Releases().process(run_script(["sh", "-c", command], None, scratch).splitlines())


def model_stamp(**changes: Any) -> str:
    document = {
        "schema": "boxwright.model/1",
        "name": "gemma",
        "quant": "Q4_K_M",
        "repository": "org/gemma-GGUF",
        "commit": "c" * 40,
        "files": [{"name": "g.gguf", "size_bytes": 5, "sha256": SHA, "mtime_s": 1700000000}],
        "shape": {"architecture": "gemma3", "layers": []},
    }
    return json.dumps(document | changes, indent=1)


def put(path: Path, text: str | bytes, mtime_s: int = 1700000000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (mtime_s, mtime_s))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A model disk with one finished model, one that is on its way, and other things."""
    disk = tmp_path / "disk"
    put(disk / "gemma/Q4_K_M/g.gguf", "12345")
    put(disk / "gemma/Q4_K_M/boxwright.json", model_stamp())
    put(disk / "big/Q8/a-00001-of-00002.gguf", b"x" * 1000)
    put(disk / "big/Q8/a-00002-of-00002.gguf.part", b"x" * 300)
    put(disk / "old downloads/g.gguf", "12345", mtime_s=1)
    return disk


@pytest.mark.parametrize(("shell", "awk"), PAIRS)
def test_the_model_disk_is_read(
    shell: list[str], awk: list[str] | None, disk: Path, tmp_path: Path
) -> None:
    state = models(disk, tmp_path, shell=shell, awk=awk)
    assert sorted((f.path, f.size_bytes, f.mtime_s) for f in state.files) == [
        (f"{disk}/big/Q8/a-00001-of-00002.gguf", 1000, 1700000000),
        (f"{disk}/big/Q8/a-00002-of-00002.gguf.part", 300, 1700000000),
        (f"{disk}/gemma/Q4_K_M/g.gguf", 5, 1700000000),
        (f"{disk}/old downloads/g.gguf", 5, 1),
    ]
    stamp = state.stamp_of("gemma", "Q4_K_M")
    assert stamp is not None and stamp.commit == "c" * 40
    assert (stamp.files[0].name, stamp.files[0].sha256) == ("g.gguf", SHA)
    assert stamp.shape["architecture"] == "gemma3"
    assert state.stamp_of("gemma", "Q8") is None and state.stamp_of("big", "Q8") is None


def test_bytes_of_a_model_are_finished_and_partial_ones(disk: Path, tmp_path: Path) -> None:
    put(disk / "big/Q8/a-00001-of-00002.gguf.part", b"x" * 10)  # beside the finished one
    state = models(f"{disk}//", tmp_path)
    assert state.bytes_of("big", "Q8") == 1300
    assert state.bytes_of("gemma", "Q4_K_M") == 5
    assert state.bytes_of("gemma", "other") == 0


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100000,
        model_stamp()[:200],
        model_stamp(schema="boxwright.model/2"),
        model_stamp(files="none"),
        model_stamp(name="another"),
        b"\xff\xfe\x00\x00" + model_stamp().encode(),
        b"\0" * 4096,
    ],
)
def test_a_damaged_stamp_counts_as_none(damaged: str | bytes, disk: Path, tmp_path: Path) -> None:
    put(disk / "gemma/Q4_K_M/boxwright.json", damaged)
    put(disk / "zeta/Q/boxwright.json", model_stamp(name="zeta", quant="Q"))
    state = models(disk, tmp_path)
    assert state.stamp_of("gemma", "Q4_K_M") is None
    assert state.stamp_of("zeta", "Q") is not None
    assert len(state.files) == 4


def test_names_of_any_bytes_come_back(tmp_path: Path) -> None:
    disk = tmp_path / "a b'c\"d$e"
    put(disk / "m/q/100% é 🖥\t\\x.gguf", "1")
    put(disk / "m/q/boxwright.json", model_stamp(name="m", quant="q", repository="é/ü"))
    bad = os.fsencode(disk) + b"/m/q/\xff\xfe.gguf"
    Path(os.fsdecode(bad)).write_bytes(b"22")
    state = models(disk, tmp_path)
    assert sorted(f.path for f in state.files) == [
        f"{disk}/m/q/100% é 🖥\t\\x.gguf",
        f"{disk}/m/q/\ufffd\ufffd.gguf",
    ]
    assert state.stamp_of("m", "q").repository == "é/ü"  # type: ignore[union-attr]
    assert state.bytes_of("m", "q") == 3


def test_no_directory_is_no_models(tmp_path: Path) -> None:
    state = models(tmp_path / "absent", tmp_path)
    assert (state.files, state.stamps) == ((), ())
    assert releases(tmp_path / "absent", tmp_path) == ReleasesState()


def release_stamp(release: str, **changes: Any) -> str:
    document = {
        "schema": "boxwright.release/1",
        "release": release,
        "build": "b11669",
        "cuda": "12.8",
        "assets": [{"name": "llama.tar.gz", "sha256": SHA}, {"name": "cudart", "sha256": SHA}],
        "flags": ["--load-mode", "-ngl", "--load-mode"],
    }
    return json.dumps(document | changes)


def test_releases_their_link_and_what_a_killed_run_left(tmp_path: Path) -> None:
    opt = tmp_path / "opt"
    put(opt / "b11669-12.8-x86_64/boxwright.json", release_stamp("b11669-12.8-x86_64"))
    cpu = release_stamp("b1-cpu-x86_64", build="b1", cuda=None, extra="of a later version")
    put(opt / "b1-cpu-x86_64/boxwright.json", cpu)
    put(opt / "moved/boxwright.json", release_stamp("b11669-12.8-x86_64"))
    put(opt / "damaged/boxwright.json", "{")
    put(opt / "b2-cpu-x86_64.part/llama-server", "")
    put(opt / ".downloads/llama.tar.gz.part", "")
    (opt / "current").symlink_to("b11669-12.8-x86_64")
    state = releases(opt, tmp_path)
    assert state.current == "b11669-12.8-x86_64"
    assert state.leftovers == ("b2-cpu-x86_64.part",)
    by_name = {stamp.release: stamp for stamp in state.installed}
    assert set(by_name) == {"b11669-12.8-x86_64", "b1-cpu-x86_64"}
    cuda = by_name["b11669-12.8-x86_64"]
    assert cuda.assets == (("llama.tar.gz", SHA), ("cudart", SHA))
    assert cuda.flags == {"--load-mode", "-ngl"}
    assert by_name["b1-cpu-x86_64"].cuda is None


@pytest.mark.parametrize("target", ["gone", "/absolute/gone"])
def test_a_link_that_leads_nowhere_is_no_current_release(target: str, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(target)
    assert releases(tmp_path, tmp_path).current is None


def test_an_absolute_link_names_its_release(tmp_path: Path) -> None:
    (tmp_path / "b1-cpu-x86_64").mkdir()
    (tmp_path / "current").symlink_to(f"{tmp_path}/b1-cpu-x86_64/")
    assert releases(tmp_path, tmp_path).current == "b1-cpu-x86_64"


RECORD = {
    "release": "b11669-12.8-x86_64",
    "model": "gemma",
    "quant": "Q4_K_M",
    "config_digest": SHA,
    "boot_id": "b",
    "decode_tok_s": 10.25,
    "prefill_tok_s": 90,
    "predicted_n": 16,
    "at_epoch_s": 1795465487,
}


def test_records_are_read_and_half_a_line_is_left_out() -> None:
    whole = json.dumps(RECORD)
    found = DecodeRecords().process(["motd of the shell", whole, whole[:50], "", "{}", whole])
    assert found == (DecodeRecord(**RECORD),) * 2  # type: ignore[arg-type]
    assert found[0].decode_tok_s == 10.25


def test_the_facts_without_an_answer_are_empty() -> None:
    assert Models.default() == ModelsState()
    assert Releases.default() == ReleasesState()
    assert DecodeRecords.default() == ()

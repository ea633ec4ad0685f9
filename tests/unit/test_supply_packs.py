"""Packs on this machine: whole or not there, whatever a run that was killed left."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from boxwright.supply import Failure, Pack, drop_pack, find_pack, is_whole, keep_pack, pack_part
from boxwright.supply.packs import packs_directory

KEY, BYTES = "b11669-cuda12.8_61-glibc2.36-x86_64", b"packed"
SUM = hashlib.sha256(BYTES).hexdigest()


def grown(directory: Path) -> None:
    part = pack_part(directory, KEY)
    assert isinstance(part, Path)
    part.write_bytes(BYTES)


def test_a_pack_that_was_kept_is_found_with_its_sum(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "packs"
    grown(directory)
    assert find_pack(directory, KEY) is None
    kept = keep_pack(directory, KEY, SUM, len(BYTES))
    assert kept == Pack(directory / f"{KEY}.tar.gz", SUM, len(BYTES)) == find_pack(directory, KEY)
    drop_pack(directory, KEY)
    assert find_pack(directory, KEY) is None and list(directory.iterdir()) == []


def test_a_pack_is_whole_while_its_bytes_are_those_that_were_kept(tmp_path: Path) -> None:
    grown(tmp_path)
    kept = keep_pack(tmp_path, KEY, SUM, len(BYTES))
    assert isinstance(kept, Pack) and is_whole(kept)
    kept.path.write_bytes(BYTES[::-1])
    assert not is_whole(kept)
    kept.path.unlink()
    assert not is_whole(kept)


def test_what_arrived_with_another_sum_gets_no_name(tmp_path: Path) -> None:
    grown(tmp_path)
    kept = keep_pack(tmp_path, KEY, "0" * 64, len(BYTES))
    assert isinstance(kept, Failure) and SUM in kept.reason
    assert find_pack(tmp_path, KEY) is None


@pytest.mark.parametrize(
    "document",
    ["", "[]", "{}", '{"schema": "boxwright.pack/1"}',
     json.dumps({"schema": "boxwright.pack/2", "sha256": SUM, "size_bytes": len(BYTES)}),
     json.dumps({"schema": "boxwright.pack/1", "sha256": "x; rm", "size_bytes": len(BYTES)}),
     json.dumps({"schema": "boxwright.pack/1", "sha256": SUM, "size_bytes": len(BYTES) + 1})],
)  # fmt: skip
def test_a_description_that_does_not_fit_is_no_pack(tmp_path: Path, document: str) -> None:
    grown(tmp_path)
    keep_pack(tmp_path, KEY, SUM, len(BYTES))
    (tmp_path / f"{KEY}.json").write_text(document)
    assert find_pack(tmp_path, KEY) is None


@pytest.mark.parametrize("key", ["../x", "a/b", "", "-x"])
def test_a_name_that_leaves_the_directory_is_no_name(tmp_path: Path, key: str) -> None:
    assert find_pack(tmp_path, key) is None
    assert isinstance(pack_part(tmp_path, key), Failure)


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    part = pack_part(tmp_path / "file" / "packs", KEY)
    assert isinstance(part, Failure) and "runtime_packs_directory" in part.cure
    assert isinstance(keep_pack(tmp_path / "nowhere", KEY, SUM, 1), Failure)


def test_packs_lie_in_the_user_s_cache_or_where_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert packs_directory(None) == Path("/cache/boxwright/packs")
    assert packs_directory("~/packs") == Path.home() / "packs"

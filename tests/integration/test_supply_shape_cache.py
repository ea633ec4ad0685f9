"""Shapes kept on the control machine: read again by later runs, never when damaged or outdated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from boxwright import supply
from tests.integration.supply_asked import found
from tests.integration.supply_world import World


def test_a_later_run_fetches_no_headers(world: World) -> None:
    first = found(world)
    fetched = len(world.asked("storage"))
    supply.forget()  # a later run
    assert found(world) == first
    assert len(world.asked("storage")) == fetched


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "boxwright.shape/1"}', "\x00" * 64])
def test_a_corrupt_cache_file_is_ignored_and_rewritten(
    world: World, tmp_path: Path, content: str
) -> None:
    first = found(world)
    (file,) = (tmp_path / "cache").rglob("*.json")
    good = file.read_text()
    file.write_text(content)
    supply.forget()
    assert found(world) == first
    assert file.read_text() == good
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_cached_shape_with_a_wrong_type_is_read_anew(world: World, tmp_path: Path) -> None:
    first = found(world)
    (file,) = (tmp_path / "cache").rglob("*.json")
    document = json.loads(file.read_text())
    document["shape"]["layers"][0]["dense_bytes"] = "many"
    file.write_text(json.dumps(document))
    supply.forget()
    assert found(world) == first


def test_a_cached_shape_of_another_commit_is_read_anew(world: World, tmp_path: Path) -> None:
    first = found(world)
    (file,) = (tmp_path / "cache").rglob("*.json")
    document = json.loads(file.read_text())
    document["commit"], document["shape"]["hidden_size"] = "e" * 40, 1
    file.write_text(json.dumps(document))
    supply.forget()
    assert found(world) == first


def test_a_new_commit_is_read_anew(world: World) -> None:
    found(world)
    fetched = len(world.asked("storage"))
    world.commit = "d" * 40
    supply.forget()
    assert found(world).commit == "d" * 40
    assert len(world.asked("storage")) > fetched


def test_a_cache_that_cannot_be_written_is_no_error(world: World, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    assert len(found(world).files) == 3

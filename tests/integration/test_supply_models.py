"""A choice becomes exact files of one commit: by quant, by name, against the catalog's pins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from boxwright.gguf import read_shape
from tests.integration.supply_asked import CHOICE, failure, found
from tests.integration.supply_world import World
from tests.unit.gguf_files import dense_keys, dense_tensors, write


def test_a_quant_becomes_files_a_commit_and_a_shape(world: World) -> None:
    model = found(world)
    names = [f"Q4_K_M/Tiny-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    assert [file.name for file in model.files] == names
    for file in model.files:
        assert file.size_bytes == world.files[file.name].stat().st_size
        assert file.sha256 is not None
        assert len(file.sha256) == 64
    assert model.commit == world.commit
    assert model.shape == read_shape([world.files[name] for name in names])


def test_names_of_the_catalog_are_taken_as_they_are(world: World) -> None:
    model = found(world, replace(CHOICE, names=("Tiny-Q8_0.gguf",)))
    assert [file.name for file in model.files] == ["Tiny-Q8_0.gguf"]


def test_a_commit_as_revision_is_not_asked_for_again(world: World) -> None:
    model = found(world, replace(CHOICE, revision=world.commit))
    assert model.commit == world.commit
    listings = [one for one in world.asked("hub") if one.target.startswith("/api/")]
    assert len(listings) == 1


def test_a_branch_that_moves_meanwhile_gives_one_commit(world: World, tmp_path: Path) -> None:
    """The first listing is of the old commit; what is returned belongs to the new one alone."""
    new = write(tmp_path / "new.gguf", "llama", dense_keys(block_count=2), dense_tensors(2))
    world.move_main_to = ("c" * 40, {**world.files, "Tiny-Q8_0.gguf": new})
    model = found(world, replace(CHOICE, quant="Q8_0"))
    assert model.commit == "c" * 40
    assert model.files[0].size_bytes == new.stat().st_size
    assert len(model.shape.layers) == 2


def test_pins_that_differ_from_the_hub(world: World) -> None:
    name = "Tiny-Q8_0.gguf"
    pinned = replace(CHOICE, names=(name,), sha256={name: "0" * 64})
    told = failure(world, pinned)
    assert f"the catalog pins {'0' * 64}" in told.reason
    assert not world.asked("storage")

    told = failure(world, replace(CHOICE, names=(name,), size_bytes={name: 17}))
    assert "the catalog pins 17 bytes" in told.reason


def test_pins_that_agree(world: World) -> None:
    name = "Tiny-Q8_0.gguf"
    world.sha256_of[name] = "ab" * 32
    size = world.files[name].stat().st_size
    pinned = replace(CHOICE, names=(name,), sha256={name: "AB" * 32}, size_bytes={name: size})
    assert found(world, pinned).files[0].sha256 == "ab" * 32


def test_a_file_without_a_checksum_needs_a_pin(world: World) -> None:
    name = "Tiny-Q8_0.gguf"
    world.sha256_of[name] = None
    assert "has no sha256 on the Hub" in failure(world, replace(CHOICE, quant="Q8_0")).reason
    pinned = replace(CHOICE, names=(name,), sha256={name: "cd" * 32})
    assert found(world, pinned).files[0].sha256 == "cd" * 32


def test_a_name_that_is_not_there(world: World) -> None:
    told = failure(world, replace(CHOICE, names=("Tiny-Q9_9.gguf",)))
    assert "has no file Tiny-Q9_9.gguf" in told.reason
    assert "the quants that are there: Q4_K_M, Q8_0" in told.reason

"""Models in shards, of which all are needed, and headers without the rest of their file."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf import GGUFReader

from boxwright.gguf import GgufError, read_shape
from tests.unit.gguf_files import dense_keys, dense_tensors, qwen35_122b, shape, write, write_shards


def sharded(directory: Path, stem: str = "m") -> list[Path]:
    tensors = dense_tensors()
    parts = [tensors[:1], tensors[1:9], tensors[9:]]
    return write_shards(directory, stem, "llama", dense_keys(), parts, tokens=50)


def test_shards_in_any_order_are_the_model(tmp_path: Path) -> None:
    paths = sharded(tmp_path)
    found = read_shape([paths[2], paths[0], paths[1]])
    whole = shape(tmp_path, "llama", dense_keys())
    assert found.layers == whole.layers
    assert (found.shards, found.vocabulary) == (3, 50)
    assert found.file_bytes == sum(path.stat().st_size for path in paths)


@pytest.mark.parametrize("given", [[0], [1], [0, 1], [0, 1, 1], [1, 2]])
def test_a_missing_shard_is_named(tmp_path: Path, given: list[int]) -> None:
    paths = sharded(tmp_path)
    with pytest.raises(GgufError, match=r"is one of 3 shards, of which .* were given"):
        read_shape([paths[index] for index in given])


def test_shards_of_two_models_do_not_mix(tmp_path: Path) -> None:
    mine = sharded(tmp_path)
    tensors = dense_tensors(5)
    other = write_shards(tmp_path, "other", "llama", dense_keys(block_count=5),
                         [tensors[:1], tensors[1:9], tensors[9:]])  # fmt: skip
    with pytest.raises(GgufError, match="hold 23 tensors, need 19: they are not of one model"):
        read_shape([mine[0], mine[1], other[2]])


def test_headers_alone_are_enough_when_the_size_is_told(tmp_path: Path) -> None:
    keys, tensors = qwen35_122b()
    path = write(tmp_path / "model.gguf", "qwen35moe", keys, tensors)
    size = path.stat().st_size
    whole = read_shape([path])
    header = int(GGUFReader(path).data_offset)
    with path.open("r+b") as file:
        file.truncate(header)
    assert read_shape([path], [size]) == whole
    assert size > 60 * 1024**3
    with pytest.raises(GgufError, match="is cut short"):
        read_shape([path])

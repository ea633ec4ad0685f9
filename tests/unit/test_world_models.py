"""The lab's random-weight models are true GGUF files, the same on every machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import gguf
import numpy as np
import pytest

from tests.lab.world import models, moe

SMALL = moe.Dimensions("small", blocks=2, embedding=64, expert_feed_forward=64, experts=4)


def written(directory: Path, shards: int) -> list[Path]:
    directory.mkdir()
    moe.write(SMALL, directory, shards)
    return sorted(directory.glob("*.gguf"))


def test_a_split_model_has_every_tensor_once(tmp_path: Path) -> None:
    (whole,), parts = written(tmp_path / "one", 1), written(tmp_path / "two", 2)
    assert [part.name for part in parts] == [
        "small-Q8_0-00001-of-00002.gguf",
        "small-Q8_0-00002-of-00002.gguf",
    ]
    names = [tensor.name for tensor in gguf.GGUFReader(whole).tensors]
    split = [t.name for part in parts for t in gguf.GGUFReader(part).tensors]
    assert split == names
    assert len(set(names)) == len(names) == 3 + 12 * SMALL.blocks


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    digests = {
        hashlib.sha256(written(tmp_path / name, 1)[0].read_bytes()).hexdigest()
        for name in ("a", "b")
    }
    assert len(digests) == 1


def test_experts_and_parameters(tmp_path: Path) -> None:
    (path,) = written(tmp_path / "one", 1)
    reader = gguf.GGUFReader(path)
    field = reader.fields["qwen3moe.expert_count"]
    assert int(field.parts[-1][0]) == 4
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    up = tensors["blk.1.ffn_up_exps.weight"]
    assert list(up.shape) == [64, 64, 4]
    assert up.tensor_type == gguf.GGMLQuantizationType.Q8_0
    assert sum(int(tensor.n_elements) for tensor in reader.tensors) == SMALL.parameters
    assert SMALL.active_parameters < SMALL.parameters


def test_weights_are_random_but_sane(tmp_path: Path) -> None:
    (path,) = written(tmp_path / "one", 1)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    up = tensors["blk.0.ffn_up_exps.weight"]
    values = gguf.quants.dequantize(np.asarray(up.data), up.tensor_type)
    assert abs(float(values.mean())) < 0.002
    assert 0.01 < float(values.std()) < 0.04


def test_only_printable_characters_have_a_logit(tmp_path: Path) -> None:
    (path,) = written(tmp_path / "one", 1)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    output = np.asarray(tensors["output.weight"].data)
    alive = {int(row) for row in np.flatnonzero(np.abs(output).sum(axis=1))}
    assert alive == set(range(0x20, 0x7F))
    assert moe.byte_alphabet()[ord("A")] == "A"
    assert len(set(moe.byte_alphabet())) == 256


def test_the_demos_model_has_experts_worth_placing() -> None:
    size = moe.TINY
    experts = size.blocks * size.experts * 3 * size.embedding * size.expert_feed_forward
    assert experts * 34 / 32 >= 64 * 2**20
    assert models.TINY_MOE.parameters == size.parameters


def test_a_wrong_join_is_refused(tmp_path: Path) -> None:
    with pytest.raises(models.ModelError, match="sha256"):
        models.join_gemma(tmp_path, tmp_path)

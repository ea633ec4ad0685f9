"""Files whose headers can be read but that llama.cpp could not load, and headers at the limits."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boxwright.gguf import GgufError, read_shape
from tests.unit.gguf_files import F32, Q8_0, Tensor, dense_keys, dense_tensors, write

MIB = 1024**2
TOKENS: Tensor = ("token_embd.weight", (512, 1000), Q8_0)
MATRIX: Tensor = ("blk.0.attn_q.weight", (512, 512), Q8_0)
NORM: Tensor = ("blk.0.attn_norm.weight", (512,), F32)
LAST_NORM: Tensor = ("output_norm.weight", (512,), F32)
# prints its own highest resident size in KiB, as the kernel counts it since the program began
PEAK = """
import sys
from pathlib import Path
from boxwright.gguf import read_shape
read_shape([Path(sys.argv[1])])
print(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
"""


def refusal(path: Path) -> str:
    with pytest.raises(GgufError) as caught:
        read_shape([path])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    return str(caught.value)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in dense_keys(block_count=1).items() if name != key}


@pytest.mark.parametrize(
    ("name", "size"),
    [("blk." + "7" * 5000 + ".x", 5006), ("n" * 64, 64), ("ü" * 32, 64), ("x" * 100_000, 100_000)],
)
def test_names_that_llama_cpp_finds_too_long(tmp_path: Path, name: str, size: int) -> None:
    tensors = [*dense_tensors(1), (name, (32,), F32)]
    told = refusal(write(tmp_path / "m.gguf", "llama", dense_keys(block_count=1), tensors))
    assert f"m.gguf holds a tensor with a name of {size} bytes, needs at most 63" in told


def test_the_longest_name_that_it_takes(tmp_path: Path) -> None:
    tensors = [*dense_tensors(1), ("n" * 63, (32,), F32)]
    path = write(tmp_path / "m.gguf", "llama", dense_keys(block_count=1), tensors)
    assert read_shape([path]).other_bytes == 512 * 4 + 32 * 4


@pytest.mark.parametrize("digits", [10, 50])
def test_layers_of_many_digits(tmp_path: Path, digits: int) -> None:
    tensors = [*dense_tensors(1), ("blk." + "7" * digits + ".x", (32,), F32)]
    told = refusal(write(tmp_path / "m.gguf", "llama", dense_keys(block_count=1), tensors))
    assert f"holds tensors of layer {'7' * digits}, needs layers below its block_count of 1" in told


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ([], "holds no token embeddings (token_embd.weight)"),
        ([NORM], "holds no token embeddings (token_embd.weight)"),
        ([MATRIX, NORM], "holds no token embeddings (token_embd.weight)"),
        ([TOKENS, LAST_NORM], "holds no weights of any layer"),
        ([TOKENS, NORM, LAST_NORM], "holds no weights of any layer"),
    ],
)
def test_no_model_at_all(tmp_path: Path, tensors: list[Tensor], says: str) -> None:
    path = write(tmp_path / "m.gguf", "llama", dense_keys(block_count=1), tensors, tokens=9)
    assert says in refusal(path)


@pytest.mark.parametrize("key", ["attention.head_count", "embedding_length"])
@pytest.mark.parametrize("architecture", ["llama", "qwen35", "bert"])
def test_sizes_that_the_metadata_must_tell(tmp_path: Path, key: str, architecture: str) -> None:
    told = refusal(write(tmp_path / "m.gguf", architecture, without(key), [TOKENS, MATRIX]))
    assert f"tells no {architecture}.{key}, needs one from 1 on" in told


@pytest.mark.parametrize("architecture", ["mamba2", "rwkv7"])
def test_what_only_keeps_states_has_no_heads(tmp_path: Path, architecture: str) -> None:
    keys = without("attention.head_count")
    path = write(tmp_path / "m.gguf", architecture, keys, [TOKENS, MATRIX])
    assert len(read_shape([path]).layers) == 1


def test_heads_in_some_layers_are_enough(tmp_path: Path) -> None:
    """Layers without attention, as pruned models have them, tell 0."""
    heads = np.array([0, 8], dtype=np.uint32)
    keys = {**dense_keys(block_count=2), "attention.head_count": heads}
    path = write(tmp_path / "m.gguf", "deci", keys, dense_tensors(2))
    assert len(read_shape([path]).layers) == 2


def test_layers_of_an_encoder_and_a_decoder_are_layers(tmp_path: Path) -> None:
    tensors = [TOKENS, ("enc.blk.0.attn_q.weight", (512, 512), Q8_0)]
    path = write(tmp_path / "m.gguf", "t5", dense_keys(block_count=1), tensors)
    assert read_shape([path]).other_bytes == 512 * 512 * 34 // 32


@pytest.mark.parametrize(("kind", "says"), [("fifo", "a pipe"), ("folder", "a directory")])
def test_only_regular_files_are_read(tmp_path: Path, kind: str, says: str) -> None:
    path = tmp_path / "m.gguf"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert f"m.gguf is {says}, needs a regular file" in refusal(path)


def with_an_array(path: Path, kind: int, count: int, size: int) -> Path:
    """A small model with one more array of zeros before its tensors."""
    write(path, "llama", dense_keys(block_count=1), dense_tensors(1))
    whole = path.read_bytes()
    tensors, keys = struct.unpack_from("<QQ", whole, 8)
    array = struct.pack("<Q1sIIQ", 1, b"a", 9, kind, count)
    with path.open("wb") as file:
        file.write(whole[:8] + struct.pack("<QQ", tensors, keys + 1) + array)
        file.seek(count * size, os.SEEK_CUR)
        file.write(whole[24:])
        file.truncate(file.tell() + 64)  # where padding may end differently
    return path


@pytest.mark.parametrize(("kind", "size"), [(0, 1), (7, 1), (6, 4), (10, 8), (8, 8)])
def test_the_memory_of_an_array_of_60_mib(tmp_path: Path, kind: int, size: int) -> None:
    """Bytes, truth values, floats, long numbers and empty texts (types of the format by number)."""
    path = with_an_array(tmp_path / "m.gguf", kind, 60 * MIB // size, size)
    asked = [sys.executable, "-c", PEAK, str(path)]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    assert int(told.stdout) / 1024 < 200


def with_tensors(path: Path, count: int) -> Path:
    """A model with so many small tensors beside its own."""
    tensors = [*dense_tensors(1), *((f"blk.0.n{one}.weight", (8,), F32) for one in range(count))]
    return write(path, "llama", dense_keys(block_count=1), tensors)


def test_the_time_of_many_tensors(tmp_path: Path) -> None:
    path = with_tensors(tmp_path / "m.gguf", 16_000)
    started = time.process_time()
    assert read_shape([path]).layers[0].norms == 16_001
    assert time.process_time() - started < 5


def test_more_tensors_than_any_model_has(tmp_path: Path) -> None:
    path = with_tensors(tmp_path / "m.gguf", 20_000)
    started = time.process_time()
    assert "tensors, needs at most 16384" in refusal(path)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("name", "says"),
    [("k" * 65_536, "holds a name of 65536 bytes"), ("kü", "holds a name of 3")],
)
def test_names_of_keys(tmp_path: Path, name: str, says: str) -> None:
    keys = dense_keys(block_count=1, **{f"={name}": 1})
    told = refusal(write(tmp_path / "m.gguf", "llama", keys, dense_tensors(1)))
    assert says in told and "needs ASCII, 65535 at most" in told


def test_a_long_text_is_no_name(tmp_path: Path) -> None:
    keys = dense_keys(block_count=1, **{"=general.name": "n" * 5000, "=general.basename": "Tiny"})
    path = write(tmp_path / "m.gguf", "llama", keys, dense_tensors(1))
    assert "general.name" not in read_shape([path]).metadata
    assert read_shape([path]).metadata["general.basename"] == "Tiny"

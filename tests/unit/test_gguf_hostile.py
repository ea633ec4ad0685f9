"""Broken, cut and hostile headers: one sentence each, soon, and never another exception."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boxwright.gguf import GgufError, GgufTruncated, read_shape
from tests.unit.gguf_files import dense_keys, dense_tensors, write

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int, int]:
    """A small model's header, where it ends, and the size of the whole file."""
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    keys = dense_keys(**{"=general.name": "Tiny", "rope.freq_base": 10000.0})
    write(path, "llama", keys, dense_tensors(), tokens=40)
    end = int(GGUFReader(path).data_offset)
    return path.read_bytes()[:end], end, path.stat().st_size


def last_byte_that_matters(header: bytes) -> int:
    """The header is padded to 32 bytes; the padding may be missing."""
    return len(header) - 32


@QUICK
@given(fraction=st.floats(0, 1, exclude_max=True))
def test_cut_anywhere_it_says_how_much_more_it_needs(
    tmp_path: Path, whole: tuple[bytes, int, int], fraction: float
) -> None:
    header, end, size = whole
    cut = int(fraction * last_byte_that_matters(header))
    path = tmp_path / "cut.gguf"
    path.write_bytes(header[:cut])
    with pytest.raises(GgufTruncated) as caught:
        read_shape([path], [size])
    assert cut < caught.value.needed_bytes
    assert "cut.gguf" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert end >= cut


def test_following_what_it_needs_arrives(tmp_path: Path, whole: tuple[bytes, int, int]) -> None:
    header, end, size = whole
    path, have, rounds = tmp_path / "cut.gguf", 1, 0
    while True:
        path.write_bytes(header[:have])
        try:
            read_shape([path], [size])
            break
        except GgufTruncated as error:
            have, rounds = max(error.needed_bytes, have + 1), rounds + 1
    assert have <= end
    assert rounds < 500


@QUICK
@given(data=st.data())
def test_a_sparse_file_whose_header_is_half_there_is_refused(
    tmp_path: Path, whole: tuple[bytes, int, int], data: st.DataObject
) -> None:
    """Zeros where the rest of the header should be, as an aborted sparse download leaves them."""
    header, _, size = whole
    cut = data.draw(st.integers(8, last_byte_that_matters(header) - 12))
    if not any(header[cut : last_byte_that_matters(header)]):
        return  # the rest is zeros anyway
    path = tmp_path / "sparse.gguf"
    path.write_bytes(header[:cut])
    with path.open("r+b") as file:
        file.truncate(size)
    try:
        read_shape([path])
    except GgufError:
        return
    # zeroed token text or token types change nothing that is read
    tokens = header.index(b"tokenizer.ggml.tokens")
    assert tokens <= cut


@QUICK
@given(data=st.data())
def test_flipped_bytes_give_a_shape_or_a_sentence(
    tmp_path: Path, whole: tuple[bytes, int, int], data: st.DataObject
) -> None:
    header, _, size = whole
    changed = bytearray(header)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(header) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped.gguf"
    path.write_bytes(changed)
    started = time.process_time()
    try:
        read_shape([path], [size])
    except GgufError as error:
        assert "\n" not in str(error)
    assert time.process_time() - started < 2


def gguf(body: bytes, tensors: int = 0, keys: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body


def key(name: str, kind: int) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", kind)


STRING, ARRAY, UINT8 = 8, 9, 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "begins with 'vers', needs 'GGUF'"),
        (b"<!doctype html>", "begins with '<!do', needs 'GGUF'"),
        (b"\x00" * 4096, "needs 'GGUF'"),
        (gguf(b"", version=99), "broken header"),
        (gguf(b"", keys=2**60), "metadata keys"),
        (gguf(b"", tensors=2**60), "tensors"),
        (gguf(struct.pack("<Q", 2**62), keys=1), "claims a header of more than"),
        (gguf(struct.pack("<Q", 2**64 - 1), keys=1), "claims a header of more than"),
        (gguf(key("a", ARRAY) + struct.pack("<IQ", STRING, 2**61), keys=1), "claims a header"),
        (gguf(key("a", ARRAY) + struct.pack("<IQ", UINT8, 2**61), keys=1), "claims a header"),
        (gguf(key("a", ARRAY) + struct.pack("<IQ", ARRAY, 1) * 2000, keys=1), "array of arrays"),
        (gguf(key("a", 77) + b"\x00" * 64, keys=1), "broken header"),
        (gguf(b""), "names no architecture"),
    ],
)
def test_hostile_files(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    started = time.process_time()
    with pytest.raises(GgufError, match=r"hostile\.gguf") as caught:
        read_shape([path])
    assert says in str(caught.value)
    assert time.process_time() - started < 1


def test_a_file_without_all_its_weights_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", "llama", dense_keys(), dense_tensors())
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 64)
    with pytest.raises(GgufError, match=rf"has {size - 64} bytes, needs \d+ for its tensors"):
        read_shape([path])


@pytest.mark.parametrize(("kind", "says"), [(4, "of type 4,"), (99, "newer than this program")])
def test_a_type_that_nobody_knows(tmp_path: Path, kind: int, says: str) -> None:
    name = b"a"
    info = struct.pack("<Q", 1) + name + struct.pack("<IQIQ", 1, 32, kind, 0)
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(info, tensors=1) + b"\x00" * 512)
    with pytest.raises(GgufError, match="holds tensor 'a'") as caught:
        read_shape([path])
    assert says in str(caught.value)


def test_a_projector_is_no_model(tmp_path: Path) -> None:
    path = write(tmp_path / "mmproj.gguf", "clip", {"vision.block_count": 27}, dense_tensors(1))
    with pytest.raises(GgufError, match="it is no language model"):
        read_shape([path])


def test_tensors_of_layers_that_do_not_exist(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", "llama", dense_keys(block_count=2), dense_tensors(4))
    with pytest.raises(GgufError, match="holds tensors of layer 2, needs layers below its"):
        read_shape([path])


def test_big_endian_files_are_refused(tmp_path: Path) -> None:
    from gguf import GGUFEndian

    path = tmp_path / "big.gguf"
    writer = GGUFWriter(path, "llama", endianess=GGUFEndian.BIG)
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(GgufError, match="is big-endian"):
        read_shape([path])

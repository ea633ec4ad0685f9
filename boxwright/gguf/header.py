"""One GGUF file's header as plain values: metadata, tensors, and whether its weights are there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gguf.constants import GGUFEndian, GGUFValueType
from gguf.gguf_reader import ReaderField

from boxwright.gguf.errors import GgufError
from boxwright.gguf.reader import HeaderReader, Tensor

MAGIC = b"GGUF"
ARRAY_LENGTH_PART = 4  # of a field's parts: key length, key, type, item type, length, items

Scalar = int | float | str | bool
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Header:
    """What one file says. `metadata` holds scalars and arrays of numbers by key.

    Arrays of strings (the vocabulary) are not kept; `array_lengths` counts every array. Weights
    begin after `header_bytes`.
    """

    path: Path
    size_bytes: int
    metadata: dict[str, Value]
    array_lengths: dict[str, int]
    tensors: tuple[Tensor, ...]
    header_bytes: int = 0

    @property
    def shard(self) -> int:
        """Which shard this is, from 0."""
        return whole_number(self.metadata.get("split.no"), 0)

    @property
    def shards(self) -> int:
        """How many shards the model has; 1 for an unsplit file."""
        return max(whole_number(self.metadata.get("split.count"), 1), 1)


def whole_number(value: Value | None, default: int) -> int:
    """The value as an int, or the default if it is missing or no number."""
    return int(value) if isinstance(value, int | float) else default


def read_header(path: Path, size_bytes: int | None = None) -> Header:
    """The header of a file that may hold only its beginning; `size_bytes` is the whole file's size.

    Raises GgufTruncated if more bytes may help, GgufError if not, OSError if it cannot be read.
    """
    size = path.stat().st_size if size_bytes is None else size_bytes
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start and start != MAGIC[: len(start)]:
        found = start.decode("latin-1").encode("unicode_escape").decode()
        raise GgufError(f"{path.name} begins with '{found}', needs 'GGUF': it is another kind"
                        " of file, a Git LFS pointer or an error page")  # fmt: skip
    try:
        reader = HeaderReader(path)
        header = _plain(path, size, reader)
    except GgufError as error:
        error.args = (f"{path.name} {error}",)
        raise
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise GgufError(f"{path.name} has a broken header: {error}") from error
    return header


def _plain(path: Path, size: int, reader: HeaderReader) -> Header:
    if reader.endianess != GGUFEndian.LITTLE:
        raise GgufError("is big-endian, needs a little-endian GGUF as x86 and arm64 read it")
    ends = [reader.data_offset + one.offset + one.size_bytes for one in reader.listed]
    if max(ends, default=0) > size:
        raise GgufError(f"is cut short: has {size} bytes, needs {max(ends)} for its tensors;"
                        " download it again")  # fmt: skip
    names = [tensor.name for tensor in reader.listed]
    if len(set(names)) != len(names):
        raise GgufError("lists a tensor twice, needs each once")
    metadata, lengths = {}, {}
    for key, field in reader.fields.items():
        if field.types[:1] == [GGUFValueType.ARRAY]:
            lengths[key] = int(field.parts[ARRAY_LENGTH_PART][0])
        value = _value(field)
        if value is not None:
            metadata[key] = value
    offset = int(reader.data_offset)
    return Header(path, size, metadata, lengths, tuple(reader.listed), offset)


def _value(field: ReaderField) -> Value | None:
    if field.types[:1] != [GGUFValueType.ARRAY]:
        scalar: Scalar = field.contents()
        return scalar
    if field.types[1] == GGUFValueType.STRING:
        return None
    return tuple(field.contents())

"""One GGUF file's header as plain values: metadata, tensors, and whether its weights are there."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from gguf.constants import GGUFValueType
from gguf.gguf_reader import ReaderField

from boxwright.gguf.errors import GgufError
from boxwright.gguf.reader import HeaderReader, Tensor

MAGIC = b"GGUF"
ARRAY_LENGTH_PART = 4  # of a field's parts: key length, key, type, item type, length, items
# of an array, one more than a model's shape takes of it, so that it can be told to be longer
MAX_ITEMS = 1025
MAX_TEXT_BYTES = 1024  # names are shorter; chat templates are longer, and nothing reads them

Scalar = int | float | str | bool
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class Header:
    """What one file says. `metadata` holds scalars and arrays of numbers by key.

    Of an array the first MAX_ITEMS are kept, of arrays of strings (the vocabulary) none, and no
    texts above MAX_TEXT_BYTES; `array_lengths` counts every array. Weights begin after
    `header_bytes`.
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
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise GgufError(f"{path.name} is {_kind(found.st_mode)}, needs a regular file: a header is"
                        " read at more than one place")  # fmt: skip
    size = found.st_size if size_bytes is None else size_bytes
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start and start != MAGIC[: len(start)]:
        begins = start.decode("latin-1").encode("unicode_escape").decode()
        raise GgufError(f"{path.name} begins with '{begins}', needs 'GGUF': it is another kind"
                        " of file, a Git LFS pointer or an error page")  # fmt: skip
    try:
        reader = HeaderReader(path)
        header = _plain(path, size, reader)
    except GgufError as error:
        error.args = (f"{path.name} {error}",)
        raise
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise GgufError(f"{path.name} has a broken header: {str(error)[:200]}") from error
    return header


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a directory", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _plain(path: Path, size: int, reader: HeaderReader) -> Header:
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
        if field.parts[-1].nbytes > MAX_TEXT_BYTES:
            return None
        scalar: Scalar = field.contents()
        return scalar
    if field.types[1] == GGUFValueType.STRING:
        return None
    return tuple(field.parts[-1][:MAX_ITEMS].tolist())

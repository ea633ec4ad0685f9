"""The `gguf` package's reader, bounded: it never leaves the header, whatever the file claims.

The package's own reader makes several arrays per token of the vocabulary (seconds for 250,000
tokens), maps every tensor's weights, and lets slices that run past the end come out short. Here
arrays are only looked at or, for strings, stepped over, weights are never touched, and each access
is checked against the bytes that are really there.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGUFEndian, GGUFValueType
from gguf.gguf_reader import GGUFReader, ReaderField

from boxwright.gguf.errors import GgufError, GgufTruncated

# The largest real headers (262,144 tokens with merges) take some 16 MiB.
MAX_HEADER_BYTES = 64 * 1024**2
MAX_KEYS = 16_384
MAX_TENSORS = 16_384  # the largest models have some 2000
MAX_KEY_BYTES = 2**16 - 1  # of a key's name, says the format's description (docs/gguf.md of ggml)
MAX_DIMENSIONS = 4  # GGML_MAX_DIMS in ggml/include/ggml.h
MAX_NAME_BYTES = 63  # GGML_MAX_NAME less the zero that ends a name (ggml/src/gguf.cpp)
# Elements and bytes of one block by type number; Q2_0 (42) came after the package's 0.19.
BLOCKS = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()} | {42: (64, 18)}

LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Tensor:
    """One tensor as the header lists it; `offset` counts from the start of the weights."""

    name: str
    elements: int
    size_bytes: int
    offset: int
    rows: int
    dimensions: tuple[int, ...] = ()


class HeaderReader(GGUFReader):
    """Reads fields and tensor infos of one file, whose weights may be missing."""

    def __init__(self, path: Path) -> None:
        self.available_bytes = path.stat().st_size
        self.listed: list[Tensor] = []
        if self.available_bytes == 0:
            raise GgufTruncated("is empty, needs a GGUF header of at least 24 bytes", 24)
        super().__init__(path)

    def _check(self, offset: int, end: int) -> None:
        if end > MAX_HEADER_BYTES:
            raise GgufError(
                f"claims a header of more than {end >> 20} MiB, needs one of at most"
                f" {MAX_HEADER_BYTES >> 20} MiB"
            )
        if end > self.available_bytes:
            raise GgufTruncated(
                f"ends inside its header: has {self.available_bytes} bytes, needs at least {end}",
                end,
            )

    def _get(
        self,
        offset: int,
        dtype: npt.DTypeLike,
        count: int = 1,
        override_order: Literal["I", "S", "<"] | None = None,
    ) -> npt.NDArray[Any]:
        self._check(offset, offset + np.dtype(dtype).itemsize * int(count))
        return np.frombuffer(self.data.data, dtype, int(count), offset)

    def _get_str(self, offset: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
        """The name of a key or a tensor; other texts are not read by this."""
        length = self._get(offset, np.uint64)
        name = self._get(offset + 8, np.uint8, int(length[0]))
        if len(name) > MAX_KEY_BYTES or not bytes(name).isascii():
            raise GgufError(
                f"holds a name of {len(name)} bytes, needs ASCII, {MAX_KEY_BYTES} at most"
            )
        return length, name

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]:
        if GGUFValueType(raw_type) == GGUFValueType.STRING:
            size = self._get(orig_offs, np.uint64)
            text = self._get(orig_offs + 8, np.uint8, int(size[0]))
            return 8 + int(text.nbytes), [size, text], [1], [GGUFValueType.STRING]
        if GGUFValueType(raw_type) != GGUFValueType.ARRAY:
            parts: tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]
            parts = super()._get_field_parts(orig_offs, raw_type)
            return parts
        raw_item = self._get(orig_offs, np.uint32)
        length = self._get(orig_offs + 4, np.uint64)
        item, start, count = GGUFValueType(raw_item[0]), orig_offs + 12, int(length[0])
        types = [GGUFValueType.ARRAY, item]
        if item == GGUFValueType.ARRAY:
            raise GgufError("holds an array of arrays, needs plain arrays as llama.cpp does")
        if item == GGUFValueType.STRING:
            end = self._after_strings(start, count)
            return end - orig_offs, [raw_item, length], [], types
        values = self._get(start, self.gguf_scalar_to_np[item], count)
        return 12 + int(values.nbytes), [raw_item, length, values], [2], types

    def _after_strings(self, start: int, count: int) -> int:
        """Where an array of strings ends; each is a length of 8 bytes and that many bytes."""
        self._check(start, start + 8 * count)
        unpack = LENGTH.unpack_from
        data, position = self.data.data, start
        end_of_data = min(self.available_bytes, MAX_HEADER_BYTES)
        for index in range(count):
            if position + 8 > end_of_data:
                self._check(position, self._guessed_end(start, position, index, count))
            position += 8 + int(unpack(data, position)[0])
        self._check(start, position)
        return position

    @staticmethod
    def _guessed_end(start: int, position: int, index: int, count: int) -> int:
        """Where an array of strings may end, judged by those read; never short of the next one."""
        next_one = position + 8
        guess = position + (position - start) // max(index, 1) * (count - index)
        return max(next_one, min(guess, MAX_HEADER_BYTES))

    def _build_fields(self, offs: int, count: int) -> int:
        if self.endianess != GGUFEndian.LITTLE:
            raise GgufError("is big-endian, needs a little-endian GGUF as x86 and arm64 read it")
        if count > MAX_KEYS:
            raise GgufError(f"claims {count} metadata keys, needs at most {MAX_KEYS}")
        return int(super()._build_fields(offs, count))

    def _build_tensor_info(self, offs: int, count: int) -> tuple[int, list[ReaderField]]:
        if count > MAX_TENSORS:
            raise GgufError(f"claims {count} tensors, needs at most {MAX_TENSORS}")
        end, fields = super()._build_tensor_info(offs, count)
        return int(end), fields

    def _get_tensor_info_field(self, orig_offs: int) -> ReaderField:
        length = int(self._get(orig_offs, np.uint64)[0])
        if length > MAX_NAME_BYTES:
            raise GgufError(
                f"holds a tensor with a name of {length} bytes, needs at most {MAX_NAME_BYTES},"
                " as llama.cpp does"
            )
        return super()._get_tensor_info_field(orig_offs)

    def _build_tensors(self, start_offs: int, fields: list[ReaderField]) -> None:
        """What the header says of each tensor, without a look at its weights."""
        expected, alignment = 0, int(self.alignment)
        for field in fields:
            tensor = _tensor(field)
            if tensor.offset != expected:  # llama.cpp refuses it too (ggml/src/gguf.cpp)
                raise GgufError(
                    f"puts tensor {tensor.name!r} at {tensor.offset}, needs it at {expected},"
                    " right after the one before"
                )
            expected += -(-tensor.size_bytes // alignment) * alignment
            self.listed.append(tensor)


def _tensor(field: ReaderField) -> Tensor:
    _, raw_name, _, dimensions, raw_type, offset = field.parts
    name, shape = bytes(raw_name).decode("utf-8"), tuple(int(size) for size in dimensions)
    kind = int(raw_type[0])
    if not name or not 0 < len(shape) <= MAX_DIMENSIONS or 0 in shape:
        raise GgufError(
            f"holds a tensor {name!r} of dimensions {list(shape[:8])}, needs a name and 1 to"
            f" {MAX_DIMENSIONS} dimensions from 1 on"
        )
    elements = math.prod(shape)
    if kind not in BLOCKS:
        raise GgufError(
            f"holds tensor {name!r} of type {kind}, needs one of the types up to {max(BLOCKS)}:"
            " it is broken, or newer than this program"
        )
    block_elements, block_bytes = BLOCKS[kind]
    if shape[0] % block_elements:
        raise GgufError(
            f"holds tensor {name!r} with rows of {shape[0]} elements, needs whole blocks of"
            f" {block_elements}"
        )
    return Tensor(
        name=name,
        elements=elements,
        size_bytes=elements // block_elements * block_bytes,
        offset=int(offset[0]),
        rows=elements // shape[0],
        dimensions=shape,
    )

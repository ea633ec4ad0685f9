"""The header of a GGUF, one file or all its shards, as a ModelShape; the weights are never read."""

from boxwright.gguf.errors import GgufError, GgufTruncated
from boxwright.gguf.header import Header, read_header
from boxwright.gguf.model import read_shape, shape_of

__all__ = ["GgufError", "GgufTruncated", "Header", "read_header", "read_shape", "shape_of"]

"""The header of a GGUF, one file or all its shards, as a ModelShape; the weights are never read."""

from boxwright.gguf.errors import GgufError, GgufTruncated
from boxwright.gguf.model import read_shape

__all__ = ["GgufError", "GgufTruncated", "read_shape"]

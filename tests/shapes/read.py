"""The shapes of models as the planner reads them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from boxwright.gguf import read_shape
from boxwright.shapes import ModelShape
from tests.shapes import EVERY
from tests.unit.gguf_files import write


@lru_cache(maxsize=64)
def shape_of(name: str) -> ModelShape:
    """The shape of a model as a file of it tells it."""
    model = EVERY[name]()
    with TemporaryDirectory() as directory:
        path = Path(directory, "model.gguf")
        return read_shape([write(path, model.architecture, model.keys, model.tensors)])

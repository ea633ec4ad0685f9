"""An architecture's own numbers, as the shape keeps them."""

from __future__ import annotations

from boxwright.shapes import ModelShape


class Metadata:
    """Keys of one architecture; those with one value per layer are read by layer."""

    def __init__(self, shape: ModelShape) -> None:
        self.values, self.architecture = shape.metadata, shape.architecture

    def number(self, key: str, default: float = 0, layer: int = 0) -> float:
        """A number; of one per layer, that layer's."""
        value = self.values.get(f"{self.architecture}.{key}")
        if isinstance(value, str):
            items = value.split(",")
            try:
                return float(items[layer]) if layer < len(items) else default
            except ValueError:
                return default
        return default if value is None else float(value)

    def flags(self, key: str) -> tuple[bool, ...]:
        """One flag per layer; empty where the metadata do not have them."""
        value = self.values.get(f"{self.architecture}.{key}")
        return tuple(item != "0" for item in value.split(",")) if isinstance(value, str) else ()

    def at(self, key: str, layer: int = 0, default: float = 0) -> int:
        """A whole number."""
        return int(self.number(key, default, layer))

    def head(self, key: str, window: int | None, hidden: int, heads: int) -> int:
        """The size of a head; layers with a window may have another one."""
        full = self.at(f"attention.{key}", 0, hidden // heads if heads else 0)
        return full if window is None else self.at(f"attention.{key}_swa", 0, full)

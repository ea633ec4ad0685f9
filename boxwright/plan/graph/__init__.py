"""How large llama.cpp's compute buffers are: its graph is built and allocated as it would be."""

from boxwright.plan.graph.compute import compute_bytes, doubt, growth_bytes

__all__ = ["compute_bytes", "doubt", "growth_bytes"]

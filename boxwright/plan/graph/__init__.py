"""How large llama.cpp's compute buffers are: its graph is built and allocated as it would be."""

from boxwright.plan.graph.compute import compute_bytes
from boxwright.plan.graph.style import KNOWN

__all__ = ["KNOWN", "compute_bytes"]

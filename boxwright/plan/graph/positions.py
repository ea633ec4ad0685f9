"""How many numbers place a token: one, or four (time, height, width and a spare).

Source: `llama_model_rope_type` (src/llama-model.cpp) and `n_pos_per_embd`, b11549.
"""

from __future__ import annotations

from boxwright.plan.graph.metadata import Metadata

IN_PARTS = frozenset(
    {"paddleocr", "qwen2vl", "qwen35", "qwen35moe", "qwen3vl", "qwen3vlmoe", "qwen4exp"}
)
# those that do it where the metadata name sections
BY_SECTIONS = frozenset({"bailingmoe3", "glm4", "glm4moe", "hunyuan_vl"})


def parts(architecture: str, metadata: Metadata) -> int:
    """How many numbers a token's position has."""
    sections = [metadata.at("rope.dimension_sections", part) for part in (0, 1)]
    in_parts = architecture in BY_SECTIONS and all(sections)
    return 4 if in_parts or architecture in IN_PARTS else 1

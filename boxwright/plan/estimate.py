"""A model's shape from its catalog row, before the Hub has told its tensors; close, not exact.

Good enough to rank quants and to leave out those that cannot fit: what is chosen in the end is
planned from its real tensors. Parts that stay with their layer are taken to have more bits than the
average, as publishers give them (a 4-bit quant keeps attention in 5 to 8 bits).
"""

from __future__ import annotations

from functools import lru_cache

from boxwright.catalog import Geometry, ModelRow, QuantRow
from boxwright.shapes import LayerShape, ModelShape

DENSE_FACTOR = 1.4  # of the average bits
MOST_BITS = 8.5  # Q8_0


def estimated_shape(row: ModelRow, quant: QuantRow) -> ModelShape | None:
    """The shape; None if the row lacks geometry or parameters, or the quant its size."""
    if row.geometry is None or not row.parameters or not quant.size_gb:
        return None
    architecture = row.architecture or "unknown"
    return _estimated(
        row.geometry, quant.size_gb, row.parameters, architecture, row.context_train or 0
    )


@lru_cache(maxsize=256)
def _estimated(
    known: Geometry, size_gb: float, parameters: int, architecture: str, context_train: int
) -> ModelShape:
    size_bytes = size_gb * 1e9
    bits = 8 * size_bytes / parameters
    rich = min(max(MOST_BITS, bits), bits * DENSE_FACTOR) / 8 if known.experts else bits / 8
    table = known.vocabulary * known.hidden_size
    embedding, output = table * bits / 8, 0.0 if known.tied else table * rich
    dense_parameters = parameters - known.expert_parameters - table * (1 if known.tied else 2)
    dense = dense_parameters * rich if known.experts else size_bytes - embedding - output
    experts = max(size_bytes - embedding - output - dense, 0.0) if known.experts else 0.0
    return ModelShape(
        architecture=architecture,
        layers=_layers(known, int(dense / known.layers), int(experts / known.layers)),
        embedding_bytes=int(embedding),
        output_bytes=int(output),
        other_bytes=0,
        hidden_size=known.hidden_size,
        vocabulary=known.vocabulary,
        context_train=context_train,
        experts=known.experts,
        experts_used=known.experts_used,
        file_bytes=int(size_bytes),
        parameters=parameters,
    )


def _layers(known: Geometry, dense_bytes: int, expert_bytes: int) -> tuple[LayerShape, ...]:
    every = known.full_attention_interval
    windowed = known.sliding_window
    layers = []
    for number in range(known.layers):
        full = number % every == every - 1 and (every > 1 or windowed is None)
        recurrent = 0 if full else known.recurrent_bytes
        layers.append(
            LayerShape(
                dense_bytes=dense_bytes,
                expert_bytes=expert_bytes,
                largest_expert_tensor_bytes=expert_bytes // 3,
                kv_elements_k=0 if recurrent else known.kv_elements_k,
                kv_elements_v=0 if recurrent else known.kv_elements_v,
                recurrent_bytes=recurrent,
                sliding_window=None if full or recurrent else windowed,
                norms=known.norms,
                biases=known.biases,
            )
        )
    return tuple(layers)

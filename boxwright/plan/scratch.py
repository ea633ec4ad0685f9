"""The compute buffers: an estimate of what `llama-fit-params -fitp on` prints under compute.

A buffer holds the logits of a physical batch on the device with the output, the attention mask
(F16, one row per token of the batch) and hidden states that are alive at once. How many was read
off build b11669 with RPC devices over sparse files of qwen3, qwen3moe-like and minimax-m2 shapes
(8k to 128k tokens, ubatch 512 and 2048); the planner's own issue derives the exact rule.
"""

from __future__ import annotations

from boxwright.plan.context import ContextSize, padded
from boxwright.plan.layout import HOST, Layout
from boxwright.shapes import ModelShape

F32_BYTES = 4
F16_BYTES = 2
ROWS_WITH_OUTPUT = 4
ROWS_OF_LAYERS = 12
# Several GPUs that hold everything work on several batches at once, each with its inputs
# (llama_context, pipeline parallelism: reference/llama-cpp.md 4.5).
PIPELINE_COPIES = 4
ROWS_OF_PIPELINE = 29
ROWS_OF_HOST_EXPERTS = 13
ROWS_WITHOUT_GPU = 6


def device_bytes(shape: ModelShape, layout: Layout, size: ContextSize, device: int) -> int:
    """The compute buffer of one GPU."""
    row, mask, logits = _sizes(shape, size)
    count = len(shape.layers)
    has_output = layout.device_of(count, count) == device
    pipelined = layout.devices > 1 and _holds_everything(shape, layout)
    if pipelined:
        first = ROWS_OF_PIPELINE if not has_output else ROWS_OF_LAYERS
        return (logits if has_output else 0) + PIPELINE_COPIES * mask + first * row
    if has_output and layout.devices == 1:
        return logits + mask + ROWS_WITH_OUTPUT * row
    layers = mask + ROWS_OF_LAYERS * row
    return max(logits + row, layers) if has_output else layers


def host_bytes(shape: ModelShape, layout: Layout, size: ContextSize) -> int:
    """The host's compute buffer."""
    row, mask, logits = _sizes(shape, size)
    count = len(shape.layers)
    inputs = mask + ROWS_WITH_OUTPUT * row
    if layout.device_of(count, count) == HOST:
        return logits + mask + ROWS_WITHOUT_GPU * row
    if layout.devices > 1 and _holds_everything(shape, layout):
        return PIPELINE_COPIES * mask + 2 * ROWS_WITH_OUTPUT * row + row
    if layout.has_host_experts(shape) or not _holds_everything(shape, layout):
        experts = ROWS_OF_HOST_EXPERTS * row
        # a long context's mask leaves a hole that the experts' activations fit into
        return inputs if mask >= experts else max(inputs, 2 * mask + experts)
    return inputs


def _holds_everything(shape: ModelShape, layout: Layout) -> bool:
    return layout.gpu_layers > len(shape.layers) and not layout.has_host_experts(shape)


def _sizes(shape: ModelShape, size: ContextSize) -> tuple[int, int, int]:
    """Bytes of one hidden state of a batch, of its masks, and of its logits."""
    cells = size.per_sequence
    windows = {layer.sliding_window for layer in shape.layers} - {None}
    swa = padded(min(cells, max(w or 0 for w in windows) + size.ubatch)) if windows else 0
    row = size.ubatch * shape.hidden_size * F32_BYTES
    mask = size.ubatch * (cells + swa) * F16_BYTES
    return row, mask, size.ubatch * shape.vocabulary * F32_BYTES

"""Which weights are which: a header's tensors sorted into experts, layers, embedding and output."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from boxwright.gguf.reader import Tensor
from boxwright.shapes import Dimensions

# what --cpu-moe moves (LLM_FFN_EXPS_REGEX, common/common.h); biases of experts go with them
EXPERTS = re.compile(r"\.ffn_(up|down|gate|gate_up)_(ch|)exps")
SHARED_EXPERTS = re.compile(r"_shexp(?=\.|$)")
BLOCK = re.compile(r"blk\.(\d+)\.")
# vectors that attention reads on its way
OF_ATTENTION = re.compile(r"attn_sinks|rope_")
# what llama.cpp looks up rows in and keeps in host RAM (LLM_TENSOR_LAYER_INPUT, llama-arch.cpp)
INPUTS = frozenset({"token_embd", "position_embd", "token_types", "per_layer_token_embd"})
# outside the blocks by name, but placed with the first of them (LLM_TENSOR_LAYER_REPEATING)
OF_FIRST_LAYER = frozenset({"per_layer_model_proj", "per_layer_proj_norm"})
OUTPUT = "output"


@dataclass
class LayerWeights:
    """One layer: bytes by what they are; how many tensors are norms or scales, how many biases."""

    dense_bytes: int = 0
    shared_expert_bytes: int = 0
    expert_bytes: int = 0
    largest_expert_tensor_bytes: int = 0
    norms: int = 0
    biases: int = 0
    dimensions: Dimensions = field(default_factory=dict)

    def add(self, tensor: Tensor) -> None:
        """Count one tensor of this layer."""
        name = tensor.name.split(".", 2)[2]
        self.dimensions[name] = tensor.dimensions
        if name.endswith(".bias"):
            self.biases += 1
        elif len(tensor.dimensions) == 1 and not OF_ATTENTION.match(name):
            self.norms += 1
        if EXPERTS.search(tensor.name):
            self.expert_bytes += tensor.size_bytes
            self.largest_expert_tensor_bytes = max(
                self.largest_expert_tensor_bytes, tensor.size_bytes
            )
        elif SHARED_EXPERTS.search(tensor.name):
            self.shared_expert_bytes += tensor.size_bytes
        else:
            self.dense_bytes += tensor.size_bytes


@dataclass
class Weights:
    """Bytes of a model. `skipped_bytes` are those of layers past `layers`, which are not used;
    what is loaded of them all the same is in `drafts`."""

    layers: list[LayerWeights]
    embedding_bytes: int = 0
    output_bytes: int = 0
    other_bytes: int = 0
    skipped_bytes: int = 0
    parameters: int = 0
    embedding_rows: int = 0
    token_embedding_bytes: int = 0
    dimensions: Dimensions = field(default_factory=dict)
    drafts: list[LayerWeights] = field(default_factory=list)
    unknown_layers: set[int] = field(default_factory=set)


def sort_weights(
    tensors: Iterable[Tensor], layers: int, blocks: int, loaded: re.Pattern[str] | None = None
) -> Weights:
    """The tensors by what they are; blocks from `layers` up to `blocks` are skipped ones, but for
    those tensors whose names without the block's number begin as `loaded`."""
    weights = Weights([LayerWeights() for _ in range(layers)])
    if loaded is not None:
        weights.drafts = [LayerWeights() for _ in range(layers, blocks)]
    for tensor in tensors:
        found = BLOCK.match(tensor.name)
        if found and int(found[1]) >= layers:
            weights.skipped_bytes += tensor.size_bytes
            if int(found[1]) >= blocks:
                weights.unknown_layers.add(int(found[1]))
            elif loaded is not None and loaded.match(tensor.name[found.end() :]):
                weights.drafts[int(found[1]) - layers].add(tensor)
            continue
        weights.parameters += tensor.elements
        if found:
            weights.layers[int(found[1])].add(tensor)
        else:
            _add_outside(weights, tensor)
    return weights


def _add_outside(weights: Weights, tensor: Tensor) -> None:
    weights.dimensions[tensor.name] = tensor.dimensions
    kind = tensor.name.split(".")[0]
    if kind in INPUTS:
        weights.embedding_bytes += tensor.size_bytes
        if tensor.name == "token_embd.weight":
            weights.embedding_rows = tensor.rows
            weights.token_embedding_bytes = tensor.size_bytes
    elif kind in OF_FIRST_LAYER and weights.layers:
        weights.layers[0].dense_bytes += tensor.size_bytes
    elif kind == OUTPUT:
        weights.output_bytes += tensor.size_bytes
    else:
        weights.other_bytes += tensor.size_bytes

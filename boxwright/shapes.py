"""The shape of a model: tensors by class and attention by layer, as a GGUF header tells them.

Imports nothing of ours; `gguf` makes these, `plan` reads them. All sizes are bytes of the file's
own types, so a mixed quant (UD-Q4_K_M) is counted tensor by tensor.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

Dimensions = dict[str, tuple[int, ...]]
STACK_KEYS = ("layers_per_stack", "l_cycles")  # of HRM-Text: layers of a stack, low runs


@dataclass(frozen=True)
class LayerShape:
    """One block: what it weighs and what state it keeps for each token.

    `expert_bytes` are routed experts (`ffn_*_exps`), what `--cpu-moe` leaves in host RAM;
    `shared_expert_bytes` (`*_shexp`) and `dense_bytes` (attention, norms, router, dense FFN) stay
    with the layer. `kv_elements_k`/`kv_elements_v` are elements per token of context; 0 in a
    recurrent layer, whose `recurrent_bytes` are a fixed state per parallel sequence.
    `sliding_window` is tokens, or None for full attention. `block` is the layer's place in
    `ModelShape.blocks`. `norms` are its vectors that are no biases (norms, scales, gates), each
    a small step of its own, and `biases` those of its products; by default a plain layer's.
    """

    dense_bytes: int
    shared_expert_bytes: int = 0
    expert_bytes: int = 0
    largest_expert_tensor_bytes: int = 0
    kv_elements_k: int = 0
    kv_elements_v: int = 0
    recurrent_bytes: int = 0
    sliding_window: int | None = None
    block: int = 0
    norms: int = 2
    biases: int = 0


@dataclass(frozen=True)
class ModelShape:
    """A whole model. `file_bytes` is the sum over its shards; `context_train` is tokens.

    `experts` and `experts_used` are routed experts per layer and per token (0 for dense models);
    `output_bytes` is 0 where the output shares the token embeddings. `skipped_bytes` are drafting
    (MTP) blocks that lie in the file but are not used; `parameters` leaves them out too.
    `header_bytes` is how long each shard's header is (empty where an older stamp does not tell).
    `metadata` holds the architecture's own keys; arrays as numbers with commas between.
    `blocks` are the dimensions (row length first) of each kind of layer's tensors, by name without
    the block's number; `tensors` those of the tensors outside layers. Both are empty where only
    sizes are known. `shared_output_bytes` are the token embeddings where the output shares them:
    other embeddings (per layer, positions) it does not share. `drafts` are what is loaded of
    drafting blocks all the same, past the last of `layers`.
    """

    architecture: str
    layers: tuple[LayerShape, ...]
    embedding_bytes: int
    output_bytes: int
    other_bytes: int
    hidden_size: int
    vocabulary: int
    context_train: int
    experts: int = 0
    experts_used: int = 0
    file_bytes: int = 0
    shards: int = 1
    parameters: int = 0
    skipped_bytes: int = 0
    header_bytes: tuple[int, ...] = ()
    metadata: dict[str, int | float | str | bool] = field(default_factory=dict)
    blocks: tuple[Dimensions, ...] = ()
    tensors: Dimensions = field(default_factory=dict)
    shared_output_bytes: int = 0
    drafts: tuple[LayerShape, ...] = ()

    def __hash__(self) -> int:
        """Of what tells models apart; metadata and dimensions are mappings, which have none."""
        return hash((self.architecture, len(self.layers), self.file_bytes, self.parameters))

    @cached_property
    def spread_layers(self) -> int:
        """Layers that are counted when they are spread over devices: also those that only draft."""
        blocks = self.metadata.get(f"{self.architecture}.block_count")
        return max(len(self.layers), blocks if isinstance(blocks, int) else 0)

    @cached_property
    def held(self) -> tuple[int, ...]:
        """For each layer the one whose weights it reads: in a later run of them one of the first.

        All of Nanbeige's are run several times; HRM-Text runs a low stack so many times, then a
        high one, whose weights lie behind those of the first.
        """
        numbers = range(len(self.layers))
        if self.architecture == "hrm_text":
            stack, low = (int(self.metadata[f"hrm_text.hrm.{key}"]) for key in STACK_KEYS)
            runs = [divmod(number, stack) for number in numbers]
            return tuple(place + stack * (run % (low + 1) == low) for run, place in runs)
        once = self.metadata.get(f"{self.architecture}.block_count")
        if self.architecture == "nanbeige" and isinstance(once, int) and once > 0:
            return tuple(number % once for number in numbers)
        return tuple(numbers)

    @cached_property
    def read_layers(self) -> tuple[LayerShape, ...]:
        """The layers with the weights that each reads.

        In `layers` they weigh something only once, since they lie in memory once.
        """
        return tuple(self.layers[number] for number in self.held)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; `shape_from_json` reads them back."""
        return asdict(self)


def shape_from_json(document: dict[str, Any]) -> ModelShape:
    """The shape that `to_json` wrote; raises TypeError or KeyError on anything else."""
    parts = {
        "layers": tuple(LayerShape(**layer) for layer in document["layers"]),
        "drafts": tuple(LayerShape(**layer) for layer in document.get("drafts", ())),
        "header_bytes": tuple(document.get("header_bytes", ())),
        "blocks": tuple(_dimensions(block) for block in document.get("blocks", ())),
        "tensors": _dimensions(document.get("tensors", {})),
    }
    return ModelShape(**{**document, **parts})


def _dimensions(document: dict[str, Any]) -> Dimensions:
    return {name: tuple(sizes) for name, sizes in document.items()}

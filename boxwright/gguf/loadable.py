"""What llama.cpp could not load though its header can be read: no model, or not all of one."""

from __future__ import annotations

from boxwright.gguf import rules
from boxwright.gguf.attention import Hyperparameters
from boxwright.gguf.errors import GgufError
from boxwright.gguf.weights import Weights

NO_MODEL = "it is no model to serve (a vocabulary, an adapter or a part, perhaps)"


def check(parameters: Hyperparameters, weights: Weights) -> None:
    """Raises GgufError for metadata that do not agree with each other or with the tensors, and
    for a file without the tensors that every model has."""
    _cycles(parameters)
    if weights.unknown_layers:
        raise GgufError(
            f"holds tensors of layer {min(weights.unknown_layers)}, needs layers below its"
            f" block_count of {parameters.blocks}"
        )
    _sizes(parameters)
    _tensors(weights)


def _sizes(parameters: Hyperparameters) -> None:
    """llama.cpp asks for the first itself (load_hparams, src/llama-model.cpp); without heads its
    tensors of attention would have no rows. What only keeps recurrent states has none."""
    name = parameters.architecture
    if not parameters.number("embedding_length"):
        raise GgufError(f"tells no {name}.embedding_length, needs one from 1 on")
    if name in rules.RECURRENT_ONLY:
        return
    if not any(parameters.at("attention.head_count", one) for one in range(parameters.blocks)):
        raise GgufError(
            f"tells no {name}.attention.head_count, needs one from 1 on as its layers attend"
        )


def _tensors(weights: Weights) -> None:
    """Every model embeds tokens and has a matrix in some layer; a layer alone may be empty."""
    if "token_embd.weight" not in weights.dimensions:
        raise GgufError(f"holds no token embeddings (token_embd.weight), needs them: {NO_MODEL}")
    of_layers = [size for layer in weights.layers for size in layer.dimensions.values()]
    # T5 calls its layers enc.blk.0 and dec.blk.0
    of_layers += [size for name, size in weights.dimensions.items() if ".blk." in name]
    if not any(len(size) > 1 for size in of_layers):
        raise GgufError(f"holds no weights of any layer (blk.0 and on), needs them: {NO_MODEL}")


def _cycles(parameters: Hyperparameters) -> None:
    """HRM-Text counts every run of a layer as one; llama.cpp wants them to come out even."""
    if parameters.architecture != "hrm_text":
        return
    stack, high, low = (parameters.number(f"hrm.{key}") for key in rules.CYCLES)
    if not stack or not high or not low or parameters.blocks != stack * high * (low + 1):
        raise GgufError(
            f"has {parameters.blocks} layers in {high} cycles of {low} low stacks and a high one of"
            f" {stack} layers, needs them to come out even"
        )

"""A model's shape from the headers of all its shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from boxwright.gguf import loadable, rules
from boxwright.gguf.attention import MAX_LAYERS, Hyperparameters, layer_states, router_state
from boxwright.gguf.errors import GgufError
from boxwright.gguf.header import Header, Scalar, Value, read_header, whole_number
from boxwright.gguf.weights import LayerWeights, Weights, sort_weights
from boxwright.shapes import Dimensions, LayerShape, ModelShape

MAX_KEPT_ITEMS = 1024
KEPT_GENERAL = ("name", "basename", "size_label", "file_type", "quantization_version")


def read_shape(paths: Sequence[Path], sizes_bytes: Sequence[int] | None = None) -> ModelShape:
    """The shape of the model in these files: one file, or all shards in any order.

    A file may hold only its beginning when `sizes_bytes` gives the whole files' sizes, or be
    sparse; its weights are never read. Raises GgufTruncated if more of a file may help, GgufError
    if it is no readable model, OSError if a file cannot be read.
    """
    if not paths:
        raise GgufError("no file was given, a model needs at least one")
    sizes = [None] * len(paths) if sizes_bytes is None else list(sizes_bytes)
    headers = [read_header(path, size) for path, size in zip(paths, sizes, strict=True)]
    return shape_of(headers)


def shape_of(headers: Sequence[Header]) -> ModelShape:
    """The shape that the headers of all shards tell together; raises GgufError if they disagree."""
    ordered = sorted(headers, key=lambda header: header.shard)
    first = ordered[0]
    _check_shards(ordered)
    try:
        return _shape(ordered)
    except GgufError as error:
        error.args = (f"{first.path.name} {error}",)
        raise


def _check_shards(headers: list[Header]) -> None:
    first = headers[0]
    numbers = [header.shard for header in headers]
    if len(headers) != first.shards or numbers != list(range(first.shards)):
        found = ", ".join(str(number + 1) for number in numbers)
        raise GgufError(
            f"{first.path.name} is one of {first.shards} shards, of which {found} were given;"
            " all are needed, each once"
        )
    tensors = sum(len(header.tensors) for header in headers)
    needed = whole_number(first.metadata.get("split.tensors.count"), tensors)
    if tensors != needed:
        raise GgufError(
            f"the {first.shards} shards of {first.path.name} hold {tensors} tensors, need {needed}:"
            " they are not of one model"
        )


def _shape(headers: list[Header]) -> ModelShape:
    first, tensors = headers[0], [one for header in headers for one in header.tensors]
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise GgufError("and its other shards list a tensor twice, need each once")
    parameters = Hyperparameters(first.metadata)
    layers = _loaded_layers(parameters, [tensor.name for tensor in tensors])
    loaded = rules.DRAFTS_LOADED.get(parameters.architecture)
    weights = sort_weights(tensors, layers, parameters.blocks, loaded)
    loadable.check(parameters, weights)
    states = layer_states(parameters, layers)
    blocks = _distinct([weight.dimensions for weight in weights.layers])
    once = tuple(
        replace(_weighed(weight), block=blocks.index(weight.dimensions), **vars(state))
        for weight, state in zip(weights.layers, states, strict=True)
    )
    routers = _routers(parameters, len(blocks))
    blocks += [{}] * len(routers)
    return ModelShape(
        architecture=parameters.architecture,
        layers=once + _run_again(parameters, once) + routers,
        drafts=tuple(_weighed(weight) for weight in weights.drafts),
        embedding_bytes=weights.embedding_bytes,
        output_bytes=weights.output_bytes,
        other_bytes=weights.other_bytes,
        hidden_size=parameters.number("embedding_length"),
        vocabulary=_vocabulary(first, parameters, weights),
        context_train=parameters.number("context_length"),
        experts=parameters.number("expert_count"),
        experts_used=parameters.number("expert_used_count"),
        file_bytes=sum(header.size_bytes for header in headers),
        shards=len(headers),
        parameters=weights.parameters,
        skipped_bytes=weights.skipped_bytes,
        header_bytes=tuple(header.header_bytes for header in headers),
        metadata=_kept(parameters),
        blocks=tuple(blocks),
        tensors=weights.dimensions,
        shared_output_bytes=0 if weights.output_bytes else weights.token_embedding_bytes,
    )


def _run_again(parameters: Hyperparameters, once: tuple[LayerShape, ...]) -> tuple[LayerShape, ...]:
    """The layers of later runs: they weigh nothing, as the first run's weights serve them too."""
    looped = parameters.architecture in rules.LOOPED
    more = max(parameters.number("num_loops", 1) - 1, 0) if looped else 0
    if len(once) * (more + 1) > MAX_LAYERS:
        raise GgufError(
            f"runs {len(once)} layers {more + 1} times, needs at most {MAX_LAYERS} layers in all"
        )
    weightless = {"dense_bytes": 0, "shared_expert_bytes": 0, "expert_bytes": 0}
    return tuple(replace(layer, **weightless) for layer in once) * more


def _routers(parameters: Hyperparameters, block: int) -> tuple[LayerShape, ...]:
    """The layer that finds each token's adapter, if there is one; it weighs nothing."""
    if parameters.architecture not in rules.ROUTED_BY_ATTENTION:
        return ()
    return (LayerShape(dense_bytes=0, block=block, norms=0, **vars(router_state(parameters))),)


def _weighed(weight: LayerWeights) -> LayerShape:
    """A layer that keeps nothing."""
    return LayerShape(
        dense_bytes=weight.dense_bytes,
        shared_expert_bytes=weight.shared_expert_bytes,
        expert_bytes=weight.expert_bytes,
        largest_expert_tensor_bytes=weight.largest_expert_tensor_bytes,
        norms=weight.norms,
        biases=weight.biases,
    )


def _distinct(blocks: list[Dimensions]) -> list[Dimensions]:
    """Each kind of block once, in the order of appearance."""
    found: list[Dimensions] = []
    for block in blocks:
        if block not in found:
            found.append(block)
    return found


def _loaded_layers(parameters: Hyperparameters, names: list[str]) -> int:
    """Layers that are loaded: the blocks without those that only draft (`load_mtp`, b11549).

    DeepSeek-V4 files without their drafting block do not count it (src/models/deepseek4.cpp).
    """
    drafting = parameters.number("nextn_predict_layers")
    if drafting >= parameters.blocks:
        return parameters.blocks
    if parameters.architecture == "deepseek4":
        probe = f"blk.{parameters.blocks - drafting}.nextn.eh_proj.weight"
        drafting = drafting if probe in names else 0
    return parameters.blocks - drafting


def _vocabulary(header: Header, parameters: Hyperparameters, weights: Weights) -> int:
    tokens = header.array_lengths.get("tokenizer.ggml.tokens", 0)
    return tokens or parameters.number("vocab_size") or weights.embedding_rows


def _kept(parameters: Hyperparameters) -> dict[str, Scalar]:
    """The architecture's own keys and the model's names; arrays as comma-separated numbers."""
    prefixes = (f"{parameters.architecture}.",)
    general = {f"general.{key}" for key in KEPT_GENERAL}
    kept: dict[str, Scalar] = {}
    for key, value in parameters.metadata.items():
        if key.startswith(prefixes) or key in general:
            text = _one(value)
            if text is not None:
                kept[key] = text
    return kept


def _one(value: Value) -> Scalar | None:
    if not isinstance(value, tuple):
        return value
    if len(value) > MAX_KEPT_ITEMS:
        return None
    return ",".join(str(int(item) if isinstance(item, bool) else item) for item in value)

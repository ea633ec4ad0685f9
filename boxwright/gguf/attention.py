"""What state each layer keeps per token or per sequence, worked out from a header's metadata.

The formulas are llama.cpp's own (src/llama-hparams.cpp, src/llama-kv-cache.cpp, b11549).
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.gguf import rules
from boxwright.gguf.errors import GgufError
from boxwright.gguf.header import Value

F32_BYTES = 4  # recurrent states are kept in F32, whatever the cache type
MAX_LAYERS = 1024  # twice llama.cpp's LLAMA_MAX_LAYERS


@dataclass(frozen=True)
class State:
    """One layer's state: KV elements per token, bytes per sequence, window in tokens."""

    kv_elements_k: int = 0
    kv_elements_v: int = 0
    recurrent_bytes: int = 0
    sliding_window: int | None = None


class Hyperparameters:
    """The metadata keys of one architecture, with their defaults.

    `attention.head_count_kv` and the like may be one number or one per layer.
    """

    def __init__(self, metadata: dict[str, Value]) -> None:
        architecture = metadata.get("general.architecture")
        if not isinstance(architecture, str) or not architecture:
            raise GgufError("names no architecture, needs general.architecture")
        self.metadata = metadata
        self.architecture = architecture
        blocks = self.number("block_count")
        if not 0 < blocks <= MAX_LAYERS:
            raise GgufError(
                f"has {blocks} layers ({architecture}.block_count), needs 1 to {MAX_LAYERS}:"
                " it is no language model (a projector or an adapter, perhaps)"
            )
        self.blocks = blocks

    def value(self, key: str) -> Value | None:
        """The raw value of `<architecture>.<key>`."""
        return self.metadata.get(f"{self.architecture}.{key}")

    def number(self, key: str, default: int = 0) -> int:
        """A whole number ≥ 0; of one per layer, the first."""
        return self.at(key, 0, default)

    def at(self, key: str, layer: int, default: int = 0) -> int:
        """The number that holds for one layer."""
        value = self.value(key)
        if isinstance(value, tuple):
            value = value[layer] if layer < len(value) else default
        if value is None or isinstance(value, str):
            return default
        if not 0 <= value < 2**32:
            raise GgufError(f"has {value} as {self.architecture}.{key}, needs a number from 0 on")
        return int(value)


def layer_states(parameters: Hyperparameters, layers: int) -> tuple[State, ...]:
    """The state of each of the first `layers` layers."""
    return tuple(_state(parameters, layer, layers) for layer in range(layers))


def _state(parameters: Hyperparameters, layer: int, layers: int) -> State:
    if parameters.architecture in rules.UNCACHED:
        return State(sliding_window=_window(parameters, layer, layers))
    recurrent = _is_recurrent(parameters, layer)
    recurrent_bytes = _recurrent_bytes(parameters) if recurrent else 0
    beside = parameters.architecture in rules.RECURRENT_BESIDE_ATTENTION
    if recurrent and not beside:
        return State(recurrent_bytes=recurrent_bytes)
    window = _window(parameters, layer, layers)
    if layer >= _layers_with_kv(parameters):
        return State(sliding_window=window)
    suffix = "_swa" if window is not None else ""
    k, v = (_head_elements(parameters, part, suffix) for part in ("key_length", "value_length"))
    heads_kv = parameters.at(
        "attention.head_count_kv", layer, parameters.at("attention.head_count", layer)
    )
    latent = parameters.number("attention.key_length_mla") > 0
    k_only = latent or parameters.architecture in rules.K_ONLY
    indexer_k, indexer_v = _indexer_elements(parameters, layer, v)
    return State(
        kv_elements_k=heads_kv * k + indexer_k,
        kv_elements_v=(0 if k_only else heads_kv * v) + indexer_v,
        recurrent_bytes=recurrent_bytes + _compression_bytes(parameters, layer, k),
        sliding_window=window if heads_kv else None,
    )


def router_state(parameters: Hyperparameters) -> State:
    """What the attention that finds each token's adapter keeps: one head."""
    k, v = (_head_elements(parameters, part, "") for part in ("key_length", "value_length"))
    return State(kv_elements_k=k, kv_elements_v=v)


def _head_elements(parameters: Hyperparameters, part: str, suffix: str) -> int:
    heads = parameters.number("attention.head_count")
    default = parameters.number("embedding_length") // heads if heads else 0
    full = parameters.number(f"attention.{part}", default)
    return parameters.number(f"attention.{part}{suffix}", full)


def _indexer_elements(parameters: Hyperparameters, layer: int, v: int) -> tuple[int, int]:
    """What an indexer caches per token beside the layer's own K and V."""
    k = parameters.number("attention.indexer.key_length")
    if parameters.architecture in rules.INDEXED:
        k *= rules.INDEXER_ROWS.get(parameters.architecture, 1)
        return (k if _indexes(parameters, layer) else 0), 0
    if parameters.architecture in rules.INDEXED_WITH_V:
        dense = layer < parameters.number("leading_dense_block_count")
        return (0, 0) if dense else (k, v)
    return 0, 0


def _indexes(parameters: Hyperparameters, layer: int) -> bool:
    """Whether a layer has an indexer of its own. GLM-5.2's files may not say so: then it is one of
    four, from the third on (GLM_5_2_DEFAULT_INDEXER_TYPES, src/models/glm-dsa.cpp)."""
    by_rule = layer < 2 or (layer - 2) % 4 == 0
    if parameters.architecture != "glm-dsa" or parameters.number("context_length") < 1 << 20:
        by_rule = True
    return bool(parameters.at("attention.indexer.types", layer, int(by_rule)))


def _compression_bytes(parameters: Hyperparameters, layer: int, k: int) -> int:
    """The sums that DeepSeek-V4 keeps for rows it has not compressed yet."""
    ratio = parameters.at("attention.compress_ratios", layer)
    per_k, per_indexer = rules.COMPRESSION_STATE.get(ratio, (0, 0))
    indexer = parameters.number("attention.indexer.key_length")
    return (per_k * k + per_indexer * indexer) * F32_BYTES


def _layers_with_kv(parameters: Hyperparameters) -> int:
    shared = 0
    if parameters.architecture in rules.SHARED_KV_ARCHITECTURES:
        shared = parameters.number("attention.shared_kv_layers")
    return rules.LAYERS_WITH_KV.get(parameters.architecture, parameters.blocks - shared)


def _window(parameters: Hyperparameters, layer: int, layers: int) -> int | None:
    rule = rules.WINDOWS.get(parameters.architecture)
    named = parameters.value("attention.sliding_window")
    if rule is None or rule.only_layers not in (None, layers) or named in (0, False):
        return None
    window = rule.fixed_window if named is not None or rule.window else None
    window = window or parameters.number("attention.sliding_window", rule.window or 0)
    pattern = parameters.value("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        slides = layer < len(pattern) and bool(pattern[layer])
    else:
        period = parameters.number("attention.sliding_window_pattern", rule.period)
        full_at = 0 if rule.full_first else period - 1
        slides = period == 0 or layer % period != full_at
    return window if slides and window else None


def _is_recurrent(parameters: Hyperparameters, layer: int) -> bool:
    name = parameters.architecture
    if name in rules.RECURRENT_ONLY or name in rules.RECURRENT_BESIDE_ATTENTION:
        return True
    if name in rules.RECURRENT_BY_INTERVAL:
        if parameters.value("attention.recurrent_layers") is not None:
            return bool(parameters.at("attention.recurrent_layers", layer))
        usual = rules.INTERVALS.get(name, 4)
        return (layer + 1) % (parameters.number("full_attention_interval", usual) or usual) != 0
    heads_kv = parameters.at(
        "attention.head_count_kv", layer, parameters.at("attention.head_count", layer)
    )
    if name in rules.RECURRENT_WITHOUT_FEED_FORWARD:
        return heads_kv == 0 and parameters.at("feed_forward_length", layer) == 0
    return name in rules.RECURRENT_WITHOUT_KV_HEADS and heads_kv == 0


def _recurrent_bytes(parameters: Hyperparameters) -> int:
    """Convolution state and recurrent state of one layer and one sequence."""
    number = parameters.number
    width, heads = number("embedding_length"), number("attention.head_count")
    convolution = max(number("ssm.conv_kernel") - 1, 0)
    inner, state, groups = (
        number(f"ssm.{key}") for key in ("inner_size", "state_size", "group_count")
    )
    elements = convolution * (inner + 2 * groups * state) + state * inner
    if wkv := number("wkv.head_size"):
        elements = (number("token_shift_count", 2) + wkv) * width
    elif cached := number("shortconv.l_cache"):
        elements = width * (cached - 1) + state * inner
    elif kda := number("kda.head_dim"):
        elements = 3 * (convolution or 3) * heads * kda + kda * kda * heads
    elif parameters.architecture == "minimax-01":
        head = number("attention.key_length", width // heads if heads else 0)
        elements = head * head * heads
    return elements * F32_BYTES

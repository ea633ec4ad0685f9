"""How a model's layers are spread over devices: llama.cpp's own rule, and what lies where.

Source: `load_tensors` of llama.cpp (src/llama-model.cpp, b11549; reference/llama-cpp.md 4.1):
layers go to devices in order by the cumulated tensor split, the output counts as one layer more.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from boxwright.shapes import LayerShape, ModelShape

HOST = -1
# These load the output before the embeddings, and so hold both even on one device.
OUTPUT_BEFORE_EMBEDDINGS = frozenset({"gemma3n", "gemma4"})
# These read the embeddings where they lie, also as the output (src/models/bitnet.cpp).
OUTPUT_ON_HOST = frozenset({"bitnet"})
# These make embeddings and have no output.
WITHOUT_OUTPUT = frozenset(
    {
        "bert", "eurobert", "jina-bert-v2", "jina-bert-v3", "modern-bert", "neo-bert", "nomic-bert",
        "nomic-bert-moe",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A placement in numbers. `devices` GPUs; `gpu_layers` counts the output as one layer.

    Layers that only draft (`ModelShape.spread_layers`) are counted like all others, though nothing
    of them is loaded.

    `experts_on_host` are the layers whose routed experts stay in host RAM (`first_layers` names
    those of `--n-cpu-moe`), `split` the devices' shares (empty: equal ones). `experts_elsewhere`
    are layers whose experts `--override-tensor` puts on another GPU than the rest of the layer,
    as (layer, device).
    """

    devices: int
    gpu_layers: int
    experts_on_host: frozenset[int] = frozenset()
    split: tuple[float, ...] = ()
    experts_elsewhere: tuple[tuple[int, int], ...] = ()

    def device_of(self, layer: int, layers: int) -> int:
        """The device of a layer (the output is layer number `layers`), or HOST.

        Computed with llama.cpp's single precision: a border may fall on a layer.
        """
        return self.places(layers)[layer]

    def places(self, layers: int) -> tuple[int, ...]:
        """The device of every layer; last that of the output."""
        return _places(self.devices, self.gpu_layers, self.split, layers)

    def experts_device(self, layer: int, layers: int) -> int:
        """Where a layer's routed experts lie."""
        return self.experts_places(layers)[layer]

    def experts_places(self, layers: int) -> tuple[int, ...]:
        """Where the routed experts of every layer lie; last comes the output's device."""
        return _experts_places(self, layers)

    @property
    def overrides(self) -> bool:
        """Whether any tensors are placed apart from their layer."""
        return bool(self.experts_on_host or self.experts_elsewhere)

    def all_experts_on_host(self, shape: ModelShape) -> bool:
        """Whether all routed experts stay in host RAM, as `--cpu-moe` has it."""
        return all(
            number in self.experts_on_host
            for number, layer in enumerate(shape.layers)
            if layer.expert_bytes
        )

    def has_host_experts(self, shape: ModelShape) -> bool:
        """Whether routed experts of any layer lie in host RAM."""
        places = self.experts_places(shape.spread_layers)
        return any(
            layer.expert_bytes and place == HOST
            for layer, place in zip(shape.layers, places, strict=False)
        )


@lru_cache(maxsize=256)
def _places(
    devices: int, gpu_layers: int, split: tuple[float, ...], layers: int
) -> tuple[int, ...]:
    on_gpus = min(gpu_layers, layers + 1) if devices else 0
    found = [HOST] * (layers + 1 - on_gpus)
    borders = _borders(split, devices) if devices else []
    for number in range(on_gpus):
        place = _single(number / on_gpus)
        found.append(min(bisect_right(borders, place), devices - 1))
    return tuple(found)


@lru_cache(maxsize=256)
def _experts_places(layout: Layout, layers: int) -> tuple[int, ...]:
    found = list(layout.places(layers))
    for layer, device in reversed(layout.experts_elsewhere):
        found[layer] = device
    for layer in layout.experts_on_host:
        if layer <= layers:
            found[layer] = HOST
    return tuple(found)


def _borders(split: tuple[float, ...], devices: int) -> list[float]:
    shares = [_single(share) for share in split or (1.0,) * devices]
    sums = list(accumulate(shares, lambda a, b: _single(a + b)))
    return [_single(one / sums[-1]) for one in sums]


def _single(value: float) -> float:
    """The nearest number of single precision."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


@dataclass(frozen=True)
class Share:
    """What one device (or the host) holds: weights, and the layers whose state is there."""

    weight_bytes: int
    layers: tuple[LayerShape, ...]
    has_output: bool


def shares(shape: ModelShape, layout: Layout) -> dict[int, Share]:
    """The shares of every device and of HOST, by number.

    Token embeddings always stay on the host; where the output shares them, its device gets a copy.
    """
    count = shape.spread_layers
    places, experts_places = layout.places(count), layout.experts_places(count)
    weight_bytes = dict.fromkeys(range(HOST, layout.devices), 0)
    layers: dict[int, list[LayerShape]] = {device: [] for device in weight_bytes}
    for number, (device, layer) in enumerate(zip(places, shape.layers, strict=False)):
        weight_bytes[device] += layer.dense_bytes + layer.shared_expert_bytes
        weight_bytes[experts_places[number]] += layer.expert_bytes
        layers[device].append(layer)
    for number, layer in enumerate(shape.drafts, len(shape.layers)):
        weight_bytes[places[number]] += layer.dense_bytes + layer.shared_expert_bytes
        place = HOST if layout.all_experts_on_host(shape) else places[number]
        weight_bytes[place] += layer.expert_bytes
    output = places[count]
    weight_bytes[HOST] += shape.embedding_bytes
    tied = shape.output_bytes == 0 and shape.architecture not in OUTPUT_ON_HOST | WITHOUT_OUTPUT
    tied = tied and (output != HOST or shape.architecture in OUTPUT_BEFORE_EMBEDDINGS)
    copied = shape.shared_output_bytes or shape.embedding_bytes
    weight_bytes[output] += copied if tied else shape.output_bytes
    weight_bytes[output] += shape.other_bytes
    return {
        device: Share(weight_bytes[device], tuple(layers[device]), device == output)
        for device in weight_bytes
    }


def first_layers(count: int) -> frozenset[int]:
    """The layers whose experts `--n-cpu-moe COUNT` leaves in host RAM."""
    return frozenset(range(count))


def all_layers(shape: ModelShape) -> int:
    """`gpu_layers` of a model that lies on GPUs wholly."""
    return shape.spread_layers + 1

"""How fast a placement will be, as [low, expected, high], and what binds it.

Decode moves every active byte once per token through the memory it lies in; prefill either
computes, or copies experts over the bus once per physical batch (reference/llama-cpp.md 4.3; the
constants and their sources are in catalog/speed.yaml). A prediction, until a bench replaces it.
"""

from __future__ import annotations

from boxwright.catalog import Catalog, SpeedConstants
from boxwright.machine import Machine
from boxwright.plan.bandwidth import HostBandwidth, host_bandwidth
from boxwright.plan.cards import UsedCard
from boxwright.plan.layout import HOST, Layout
from boxwright.plan.results import Speed
from boxwright.plan.wanted import Wanted
from boxwright.shapes import LayerShape, ModelShape

GIGA = 1e9
UNKNOWN_LINK = (8.0, 16)  # PCIe 3.0 x16


def predict(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    layout: Layout,
    cards: tuple[UsedCard, ...],
) -> Speed | None:
    """The prediction; None where a card's bandwidth is not known, since it would be a guess."""
    bandwidths = [card.kind.card.bandwidth_gb_s if card.kind.card else None for card in cards]
    if any(one is None for one in bandwidths):
        return None
    host = host_bandwidth(machine, catalog.speed)
    active = _active_bytes(shape, layout)
    decode, prefill = [], []
    parts = _decode_parts(1, catalog.speed, host, active, layout, shape, bandwidths)
    for index in range(3):
        each = _decode_parts(index, catalog.speed, host, active, layout, shape, bandwidths)
        decode.append(1 / max(sum(each.values()), 1e-6))
        prefill.append(_prefill(index, catalog, machine, wanted, shape, layout, cards, host))
    return Speed(
        decode_tok_s=(_rounded(decode[0]), _rounded(decode[1]), _rounded(decode[2])),
        prefill_tok_s=(_rounded(prefill[0]), _rounded(prefill[1]), _rounded(prefill[2])),
        bound_by=max(parts, key=lambda name: parts[name]),
    )


def _active_bytes(shape: ModelShape, layout: Layout) -> dict[int, int]:
    """Bytes of weights that one token touches, by device and HOST (embeddings: a row, so none)."""
    found = dict.fromkeys(range(HOST, layout.devices), 0)
    count = len(shape.layers)
    for number, layer in enumerate(shape.layers):
        device = layout.device_of(number, count)
        found[device] += layer.dense_bytes + layer.shared_expert_bytes
        found[layout.experts_device(number, count)] += _active_experts(shape, layer)
    found[layout.device_of(count, count)] += shape.output_bytes or shape.embedding_bytes
    return found


def _active_experts(shape: ModelShape, layer: LayerShape) -> int:
    if not shape.experts:
        return layer.expert_bytes
    return layer.expert_bytes * shape.experts_used // shape.experts


def _decode_parts(
    index: int,
    constants: SpeedConstants,
    host: HostBandwidth,
    active: dict[int, int],
    layout: Layout,
    shape: ModelShape,
    bandwidths: list[float | None],
) -> dict[str, float]:
    """Seconds per token by what they are spent on, for low (0), expected (1) or high (2)."""
    parts = {
        "host memory bandwidth": active[HOST] / GIGA / _host_gb_s(index, constants, host),
        "GPU memory bandwidth": 0.0,
        "launches and bus crossings": 0.0,
    }
    for number, gb_s in enumerate(bandwidths):
        parts["GPU memory bandwidth"] += (
            active[number] / GIGA / ((gb_s or 1) * constants.gpu_share[index])
        )
    if layout.devices and layout.gpu_layers:
        split = sum(1 for n in range(len(shape.layers)) if _split(shape, layout, n))
        parts["launches and bus crossings"] = (
            len(shape.layers) * constants.layer_us[index] + split * constants.crossing_us[index]
        ) / 1e6
    return parts


def _split(shape: ModelShape, layout: Layout, number: int) -> bool:
    """Whether a layer's attention and experts lie in different memories."""
    count = len(shape.layers)
    apart = layout.experts_device(number, count) != layout.device_of(number, count)
    return apart and shape.layers[number].expert_bytes > 0


def _host_gb_s(index: int, constants: SpeedConstants, host: HostBandwidth) -> float:
    shares = constants.host_share if host.nodes == 1 else constants.host_share_many_nodes
    spread = 1.0 if host.modules_known else constants.unknown_modules[index]
    return max(host.node_gb_s * shares[index] * spread, 0.1)


def _prefill(
    index: int,
    catalog: Catalog,
    machine: Machine,
    wanted: Wanted,
    shape: ModelShape,
    layout: Layout,
    cards: tuple[UsedCard, ...],
    host: HostBandwidth,
) -> float:
    constants = catalog.speed
    tokens = wanted.server_ubatch
    used = sum(_active_bytes(shape, layout).values())
    # two operations for each weight that is touched; a weight of the file takes about 0.6 bytes
    operations = 2 * (used / 0.6) * tokens
    if not cards or not layout.gpu_layers:
        flops = max(machine.cpu.cores, 1) * constants.core_gflops[index] * GIGA
        return tokens / (operations / flops)
    count = len(shape.layers)
    copied = sum(
        layer.expert_bytes
        for number, layer in enumerate(shape.layers)
        if layout.experts_device(number, count) == HOST
    )
    speed = min(
        (card.kind.card.bandwidth_gb_s or 1 if card.kind.card else 1)
        * catalog.speed.tflops_per_100_gb_s.get(card.kind.generation, 1.0)
        for card in cards
    )
    seconds = operations / (speed / 100 * constants.gpu_compute_share[index] * 1e12)
    bus = min(_bus_gb_s(cards[0]), host.node_gb_s) * constants.bus_share[index]
    return tokens / (seconds + copied / GIGA / bus)


def _bus_gb_s(card: UsedCard) -> float:
    """One direction of the card's PCIe link."""
    speed = card.gpu.link_speed_gts or UNKNOWN_LINK[0]
    width = card.gpu.link_width or UNKNOWN_LINK[1]
    return speed * width / 8


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")

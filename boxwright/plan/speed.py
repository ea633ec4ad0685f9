"""How fast a placement will be, as (low, expected, high), what binds it, and what it draws.

Decode moves every active byte once per token (speed_decode), prefill computes or copies experts
(speed_prefill); constants and their sources are in catalog/speed.yaml. A prediction, until a
decode that was measured with this very configuration replaces it.
"""

from __future__ import annotations

from boxwright.catalog import Catalog, SpeedConstants
from boxwright.machine import Gpu, Machine
from boxwright.plan.cards import UsedCard
from boxwright.plan.known import Measured
from boxwright.plan.layout import Layout
from boxwright.plan.power import power_w
from boxwright.plan.results import Speed
from boxwright.plan.speed_decode import (
    HOST_CORES,
    HOST_MEMORY,
    GpuSpeed,
    decode_seconds,
    host_speed,
)
from boxwright.plan.speed_depth import attention_seconds, depths
from boxwright.plan.speed_prefill import PrefillCard, first_token_s, prefill_tok_s
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

PROMPTS = (4096, 32768, 131072)  # tokens, of which the time to the first token is given
BTU_H_PER_W = 3.412
UNKNOWN_LINK = (8.0, 16)  # PCIe 3.0 x16

Interval = tuple[float, float, float]


def predict(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    layout: Layout,
    cards: tuple[UsedCard, ...],
    measured: Measured | None = None,
) -> Speed | None:
    """The prediction, or what was measured for this configuration.

    None where a card's bandwidth is not known, since it would be a guess, and nothing was measured.
    """
    constants = catalog.speed
    links = tuple(_link(constants, card) for card in cards)
    known = tuple(link for link in links if link is not None)
    if len(known) < len(links):
        return _as_measured(measured)
    host = host_speed(machine, constants)
    speeds = tuple(link.speed for link in known)
    parts = decode_seconds(constants, host, speeds, shape, layout)
    rests_on_host = any(parts.get(name) for name in (HOST_MEMORY, HOST_CORES))
    guessed = rests_on_host and not host.modules_known
    spread = constants.unknown_modules if guessed else constants.known
    decode = _times(1 / max(sum(parts.values()), 1e-6), spread)
    bound_by = max(parts, key=lambda name: parts[name])
    prefill = prefill_tok_s(constants, machine, host, known, shape, layout, wanted.server_ubatch)
    if measured is not None:
        decode, bound_by = _rounded_all(measured.decode_tok_s), "measured"
        prefill = measured.prefill_tok_s or prefill
    at_depth = {
        depth: attention_seconds(
            constants, machine, host, speeds, shape, layout, wanted.server_cache_type, depth
        )
        for depth in depths(wanted.server_context // wanted.server_parallel)
    }
    reading = known if layout.gpu_layers else ()  # attention is computed where its cache lies
    watts = power_w(machine, constants, cards)
    return Speed(
        decode_tok_s=decode,
        prefill_tok_s=_rounded_all(prefill),
        bound_by=bound_by,
        ttft_s={
            tokens: _rounded(first_token_s(constants, machine, reading, shape, prefill[1], tokens))
            for tokens in PROMPTS
        },
        decode_at_depth_tok_s={
            depth: _rounded(1 / (1 / decode[1] + more)) for depth, more in at_depth.items()
        },
        power_w=watts,
        heat_btu_h=None if watts is None else round(watts * BTU_H_PER_W),
    )


def _as_measured(measured: Measured | None) -> Speed | None:
    """What was measured alone, if that was both decode and prefill."""
    if measured is None or measured.prefill_tok_s is None:
        return None
    prefill = _rounded_all(measured.prefill_tok_s)
    return Speed(_rounded_all(measured.decode_tok_s), prefill, "measured")


def _link(constants: SpeedConstants, card: UsedCard) -> PrefillCard | None:
    """A card's rates; None if its bandwidth is not known, or nothing of its generation is."""
    known, kind = card.kind.card, card.kind
    row = constants.gpu_row(kind.generation, kind.chip.compute_cap)
    if known is None or known.bandwidth_gb_s is None or row is None:
        return None
    return PrefillCard(GpuSpeed(known.bandwidth_gb_s, row), bus_gb_s(card.gpu))


def bus_gb_s(gpu: Gpu) -> float:
    """One direction of a card's PCIe link."""
    speed = gpu.link_speed_gts or UNKNOWN_LINK[0]
    width = gpu.link_width or UNKNOWN_LINK[1]
    return speed * width / 8


def _times(value: float, spread: Interval) -> Interval:
    return _rounded_all((value * spread[0], value * spread[1], value * spread[2]))


def _rounded_all(values: Interval) -> Interval:
    return (_rounded(values[0]), _rounded(values[1]), _rounded(values[2]))


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")

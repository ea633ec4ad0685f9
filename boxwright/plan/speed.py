"""How fast a placement will be, as (low, expected, high), what binds it, and what it draws.

Decode moves every active byte once per token (speed_decode), prefill computes or copies experts
(speed_prefill); constants and their sources are in catalog/speed.yaml. A prediction, until a
decode that was measured with this very configuration replaces it.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    HostSpeed,
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


@dataclass(frozen=True)
class _Run:
    """A model on a machine: all that its speed follows from. `links` are the used cards."""

    constants: SpeedConstants
    machine: Machine
    host: HostSpeed
    links: tuple[PrefillCard, ...]
    shape: ModelShape
    layout: Layout
    wanted: Wanted

    @property
    def speeds(self) -> tuple[GpuSpeed, ...]:
        """What the cards reach in decode."""
        return tuple(link.speed for link in self.links)

    def decode(self) -> tuple[Interval, str]:
        """Tokens per second with an empty context, and what binds them."""
        parts = decode_seconds(self.constants, self.host, self.speeds, self.shape, self.layout)
        rests_on_host = any(parts.get(name) for name in (HOST_MEMORY, HOST_CORES))
        guessed = rests_on_host and not self.host.modules_known
        spread = self.constants.unknown_modules if guessed else self.constants.known
        expected = 1 / max(sum(parts.values()), 1e-6)
        return _times(expected, spread), max(parts, key=lambda name: parts[name])

    def prefill(self) -> Interval:
        """Tokens per second of a prompt."""
        return prefill_tok_s(
            self.constants,
            self.machine,
            self.host,
            self.links,
            self.shape,
            self.layout,
            self.wanted.server_ubatch,
        )

    def at_depth(self, decode_tok_s: float) -> dict[int, float]:
        """Tokens per second by how many are in the context, from those with an empty one."""
        found = {}
        for depth in depths(self.wanted.server_context // self.wanted.server_parallel):
            more = attention_seconds(
                self.constants,
                self.machine,
                self.host,
                self.speeds,
                self.shape,
                self.layout,
                self.wanted.server_cache_type,
                depth,
            )
            found[depth] = _rounded(1 / (1 / decode_tok_s + more))
        return found

    def first_token(self, prefill_tok_s: float) -> dict[int, float]:
        """Seconds to the first token, by the length of the prompt."""
        # attention is computed where its cache lies
        reading = self.links if self.layout.gpu_layers else ()
        asked = (self.constants, self.machine, reading, self.shape, prefill_tok_s)
        return {tokens: _rounded(first_token_s(*asked, tokens)) for tokens in PROMPTS}


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
    run = _run_of(machine, catalog, wanted, shape, layout, cards)
    if run is None:
        return _as_measured(measured)
    decode, bound_by = run.decode()
    prefill = run.prefill()
    if measured is not None:
        decode, bound_by = _rounded_all(measured.decode_tok_s), "measured"
        prefill = measured.prefill_tok_s or prefill
    watts = power_w(machine, catalog.speed, cards)
    return Speed(
        decode_tok_s=decode,
        prefill_tok_s=_rounded_all(prefill),
        bound_by=bound_by,
        ttft_s=run.first_token(prefill[1]),
        decode_at_depth_tok_s=run.at_depth(decode[1]),
        power_w=watts,
        heat_btu_h=None if watts is None else round(watts * BTU_H_PER_W),
    )


def decode_tok_s(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    layout: Layout,
    cards: tuple[UsedCard, ...],
) -> float | None:
    """Of `predict` only the decode to expect, which is all that layouts are compared by."""
    run = _run_of(machine, catalog, wanted, shape, layout, cards)
    return run.decode()[0][1] if run else None


def _run_of(
    machine: Machine,
    catalog: Catalog,
    wanted: Wanted,
    shape: ModelShape,
    layout: Layout,
    cards: tuple[UsedCard, ...],
) -> _Run | None:
    constants = catalog.speed
    links = tuple(_link(constants, card) for card in cards)
    known = tuple(link for link in links if link is not None)
    if len(known) < len(links):
        return None
    host = host_speed(machine, constants)
    return _Run(constants, machine, host, known, shape, layout, wanted)


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

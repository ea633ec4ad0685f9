"""The published speeds at depth and of prompts: no fit reads them.

They are no blind test for prompts all the same: speed.yaml's constants of prompts were chosen with
most of them in view.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from benchmarks.points import Point, rows
from boxwright.catalog import SpeedConstants
from boxwright.plan.speed_decode import host_speed
from boxwright.plan.speed_depth import attention_seconds
from boxwright.plan.speed_prefill import PrefillCard, prefill_tok_s


@dataclass(frozen=True)
class Depth:
    """Decode with `tokens` in the context; `point` is the same, nearly empty, as measured."""

    point: Point
    cache_type: str
    tokens: int
    tok_s: float

    def expected_tok_s(self, constants: SpeedConstants) -> float:
        """What the planner makes of the measured speed at an empty context."""
        on = self.point
        host, gpus = host_speed(on.machine, constants), on.gpus(constants)
        more = attention_seconds(
            constants, on.machine, host, gpus, on.shape, on.layout, self.cache_type, self.tokens
        )
        return 1 / (1 / on.tok_s + more)


@dataclass(frozen=True)
class Prefill:
    """A prompt read in physical batches of `ubatch` tokens, at `point.tok_s`."""

    point: Point
    ubatch: int
    bus_gb_s: float

    def expected_tok_s(self, constants: SpeedConstants) -> tuple[float, float, float]:
        """(low, expected, high)."""
        on = self.point
        cards = tuple(PrefillCard(gpu, self.bus_gb_s) for gpu in on.gpus(constants))
        host = host_speed(on.machine, constants)
        return prefill_tok_s(constants, on.machine, host, cards, on.shape, on.layout, self.ubatch)


@cache
def depths() -> tuple[Depth, ...]:
    """All figures at depth, in the order of the file."""
    return tuple(
        Depth(point, row["cache"], tokens, tok_s)
        for point, row in rows("depths")
        for tokens, tok_s in row["at"].items()
    )


@cache
def prefills() -> tuple[Prefill, ...]:
    """All figures of prompts, in the order of the file."""
    return tuple(Prefill(point, row["ubatch"], row["bus"]) for point, row in rows("prefills"))

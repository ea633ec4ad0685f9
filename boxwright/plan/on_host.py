"""Where the host's memory decodes faster than cards would: no layer lies on them.

Old cards may be slower than host RAM of many channels. Even without a layer they compute prompts,
from weights that are copied to them batch by batch (llama.cpp pull 6083); attention is then the
processor's, which a card beats with every token that a context holds. So a layout without layers
has to be clearly faster in a chat of usual length, and nothing may get more than twice as slow for
it: neither decode with a full context, nor the start of an answer to a long prompt.
"""

from __future__ import annotations

from collections.abc import Callable

from boxwright.plan import experts
from boxwright.plan.layout import Layout, first_layers
from boxwright.plan.measure import Measure
from boxwright.plan.placement import CLEARLY_FASTER, Placed
from boxwright.plan.results import Speed
from boxwright.plan.speed import PROMPTS
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

USUAL_TOKENS = 4096  # in the context of a chat
SLOWER = 2.0  # times, that anything else may get for it

Expect = Callable[[Layout], Speed | None]


def instead(
    best: Placed, shape: ModelShape, wanted: Wanted, measure: Measure, expect: Expect
) -> Placed:
    """No layer on the cards, where that is to be preferred to `best` and has room."""
    if not (is_free(wanted) and best.fits and best.layout.devices):
        return best
    every = first_layers(len(shape.layers)) if shape.experts else frozenset[int]()
    layout = Layout(best.layout.devices, 0, every)
    if not preferable(expect(best.layout), expect(layout), wanted):
        return best
    other = Placed(experts.words(layout, 0, shape), layout, measure(layout))
    return other if other.fits else best


def is_free(wanted: Wanted) -> bool:
    """Whether no wish says what lies on the cards."""
    forced = wanted.server_n_cpu_moe, wanted.server_tensor_split
    return wanted.server_placement == "auto" and forced == (None, None)


def preferable(before: Speed | None, after: Speed | None, wanted: Wanted) -> bool:
    """Whether a layout without layers on cards is to be preferred; not where nobody can tell."""
    if before is None or after is None:
        return False
    context = wanted.server_context // wanted.server_parallel
    prompt = max((tokens for tokens in PROMPTS if tokens <= context), default=PROMPTS[0])
    return (
        _at(after, USUAL_TOKENS) > CLEARLY_FASTER * _at(before, USUAL_TOKENS)
        and SLOWER * _at(after, context) >= _at(before, context)
        and after.ttft_s[prompt] <= SLOWER * before.ttft_s[prompt]
    )


def _at(speed: Speed, tokens: int) -> float:
    """Expected decode with so many tokens in the context, or the most that is told of."""
    told = speed.decode_at_depth_tok_s
    depth = max((one for one in told if one <= tokens), default=min(told, default=0))
    return told.get(depth, speed.decode_tok_s[1])

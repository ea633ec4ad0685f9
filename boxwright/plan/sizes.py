"""Context and physical batch where the plan may choose them: as large as fits beside the model.

An option of 0 leaves the choice to the plan; `server_profile` "prefill" does so with the default
batch too, since a larger one is what makes prefill faster (reference/llama-cpp.md 3.5).
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.plan.experts import host_expert_bytes
from boxwright.plan.layout import all_layers
from boxwright.plan.place import Places
from boxwright.plan.placement import Placed
from boxwright.plan.results import Refusal
from boxwright.plan.search import largest
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

DEFAULT_UBATCH = 512
UBATCHES = (4096, 2048, 1024)
LEAST_CONTEXT = 4096
CONTEXT_STEP = 1024
KEPT = 0.95  # of decode; a larger batch makes prompts several times as fast, but never at any price
UNKNOWN_CONTEXT = 131072  # of a model whose header does not tell what it was trained with


def decide(wanted: Wanted, shape: ModelShape, places: Places) -> tuple[Wanted, Placed | Refusal]:
    """The wishes with both sizes as numbers, and the placement for them.

    Never a context below 4096 tokens: where not even that fits, what does not fit is refused.
    """
    sized = replace(wanted, server_ubatch=usual_ubatch(wanted))
    if wanted.server_context == 0:
        sized = _with_largest_context(sized, shape, places)
    placed = places(sized)
    if isinstance(placed, Refusal) or not placed.fits or not leaves_ubatch(wanted):
        return sized, placed
    for ubatch in UBATCHES:
        if ubatch > wanted.server_batch != Wanted.server_batch:
            continue
        larger = replace(sized, server_ubatch=ubatch)
        found = places(larger)
        if isinstance(found, Refusal) or not found.fits:
            continue
        if wanted.server_profile == "prefill" or _as_fast(places, sized, placed, found):
            return larger, found
    return sized, placed


def _as_fast(places: Places, wanted: Wanted, usual: Placed, found: Placed) -> bool:
    """Whether a larger batch takes no room from experts that is missed, and few other layers."""
    on_host = [host_expert_bytes(one.layout, places.shape) for one in (found, usual)]
    rates = [places.rate(wanted, one.layout) for one in (found, usual)]
    if on_host[0] <= on_host[1]:
        return rates[0] >= KEPT * rates[1]
    return rates[0] >= rates[1] > 0


def usual_ubatch(wanted: Wanted) -> int:
    """The physical batch to begin with: a part of the logical one."""
    return wanted.server_ubatch or min(DEFAULT_UBATCH, wanted.server_batch)


def leaves_ubatch(wanted: Wanted) -> bool:
    """Whether the physical batch is the plan's to choose."""
    by_profile = wanted.server_profile == "prefill" and wanted.server_ubatch == DEFAULT_UBATCH
    return wanted.server_ubatch == 0 or by_profile


def _with_largest_context(wanted: Wanted, shape: ModelShape, places: Places) -> Wanted:
    """All users' contexts together, up to what the model was trained with for each.

    Layers stay on the cards where all of them do with a usual context. Where some lie in host RAM
    anyway, it is as large as fits there: more room on the cards would else be taken by the next
    layer, and leave less context than before.
    """
    users = wanted.server_parallel
    most = (shape.context_train or UNKNOWN_CONTEXT) * users // CONTEXT_STEP
    low, high = LEAST_CONTEXT * users // CONTEXT_STEP, max(most, 1)
    low = min(low, high)
    usual = max(min(Wanted.server_context // CONTEXT_STEP, high), low)

    def of(steps: int) -> Wanted:
        return replace(wanted, server_context=steps * CONTEXT_STEP)

    def most_of(least: int, on_cards: int) -> int:
        def holds(steps: int) -> bool:
            return places.holds(of(steps), on_cards)

        return high if holds(high) else largest(least, high - 1, holds)

    # where not even the least fits all others would be tried in vain
    smallest = places(of(low))
    if not isinstance(smallest, Placed) or not smallest.fits:
        return of(low)
    every = all_layers(shape)
    if smallest.layout.gpu_layers == every and places.holds(of(usual), every):
        return of(most_of(usual, every))
    return of(most_of(low, 0))

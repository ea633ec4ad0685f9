"""Context and physical batch where the plan may choose them: as large as fits beside the model.

An option of 0 leaves the choice to the plan; `server_profile` "prefill" does so with the default
batch too, since a larger one is what makes prefill faster (reference/llama-cpp.md 3.5).
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.plan.experts import host_expert_bytes
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
        same = host_expert_bytes(found.layout, shape) <= host_expert_bytes(placed.layout, shape)
        if same or wanted.server_profile == "prefill":
            return larger, found
    return sized, placed


def usual_ubatch(wanted: Wanted) -> int:
    """The physical batch to begin with: a part of the logical one."""
    return wanted.server_ubatch or min(DEFAULT_UBATCH, wanted.server_batch)


def leaves_ubatch(wanted: Wanted) -> bool:
    """Whether the physical batch is the plan's to choose."""
    by_profile = wanted.server_profile == "prefill" and wanted.server_ubatch == DEFAULT_UBATCH
    return wanted.server_ubatch == 0 or by_profile


def _with_largest_context(wanted: Wanted, shape: ModelShape, places: Places) -> Wanted:
    """All users' contexts together, up to what the model was trained with for each.

    Layers that the least context leaves on the cards stay there.
    """
    users = wanted.server_parallel
    most = (shape.context_train or UNKNOWN_CONTEXT) * users // CONTEXT_STEP
    low, high = LEAST_CONTEXT * users // CONTEXT_STEP, max(most, 1)
    low = min(low, high)

    def of(steps: int) -> Wanted:
        return replace(wanted, server_context=steps * CONTEXT_STEP)

    smallest = places(of(low))
    # where not even the least fits all others would be tried in vain
    if not isinstance(smallest, Placed) or not smallest.fits:
        return of(low)
    on_cards = smallest.layout.gpu_layers

    def holds(steps: int) -> bool:
        return places.holds(of(steps), on_cards)

    return of(high if holds(high) else largest(low, high - 1, holds))

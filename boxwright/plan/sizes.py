"""Context and physical batch where the plan may choose them: as large as fits beside the model.

An option of 0 leaves the choice to the plan; `server_profile` "prefill" does so with the default
batch too, since a larger one is what makes prefill faster (reference/llama-cpp.md 3.5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from boxwright.plan.experts import host_expert_bytes
from boxwright.plan.placement import Placed
from boxwright.plan.results import Refusal
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

DEFAULT_UBATCH = 512
UBATCHES = (4096, 2048, 1024)
LEAST_CONTEXT = 4096
CONTEXT_STEP = 1024
UNKNOWN_CONTEXT = 131072  # of a model whose header does not tell what it was trained with


Place = Callable[[Wanted], Placed | Refusal]  # for wishes with sizes as numbers


def decide(wanted: Wanted, shape: ModelShape, place: Place) -> tuple[Wanted, Placed | Refusal]:
    """The wishes with both sizes as numbers, and the placement for them.

    Never a context below 4096 tokens: where not even that fits, what does not fit is refused.
    """
    sized = replace(wanted, server_ubatch=usual_ubatch(wanted))
    if wanted.server_context == 0:
        sized = _with_largest_context(sized, shape, place)
    placed = place(sized)
    if isinstance(placed, Refusal) or not placed.fits or not leaves_ubatch(wanted):
        return sized, placed
    for ubatch in UBATCHES:
        if ubatch > wanted.server_batch != Wanted.server_batch:
            continue
        larger = replace(sized, server_ubatch=ubatch)
        found = place(larger)
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


def _with_largest_context(wanted: Wanted, shape: ModelShape, place: Place) -> Wanted:
    """All users' contexts together, up to what the model was trained with for each.

    Layers that the least context leaves on the cards stay there.
    """
    users = wanted.server_parallel
    most = (shape.context_train or UNKNOWN_CONTEXT) * users // CONTEXT_STEP
    low, high = LEAST_CONTEXT * users // CONTEXT_STEP, max(most, 1)
    least = low = min(low, high)

    def placed(steps: int) -> Placed | None:
        found = place(replace(wanted, server_context=steps * CONTEXT_STEP))
        return found if isinstance(found, Placed) and found.fits else None

    smallest = placed(least)

    def fits(steps: int) -> bool:
        found = placed(steps)
        on_cards = smallest.layout.gpu_layers if smallest else 0
        return found is not None and found.layout.gpu_layers >= on_cards

    # where not even the least fits, or the most does, all of the others would be tried in vain
    if smallest is None:
        high = low
    elif fits(high):
        low = high
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return replace(wanted, server_context=low * CONTEXT_STEP)

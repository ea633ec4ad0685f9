"""Other values of options that would free the memory that is short, by option; mostly smaller ones.

They are found by arithmetic on the figures of the layout that does not fit, so each is a guess
until it is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from boxwright.plan import moe_cache
from boxwright.plan.checkpoints import checkpoint_bytes, per_slot
from boxwright.plan.context import size_of, state_bytes
from boxwright.plan.layout import HOST
from boxwright.plan.placement import Placed
from boxwright.plan.search import largest
from boxwright.plan.sizes import CONTEXT_STEP, LEAST_CONTEXT
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape

MIB = 1024**2
UBATCHES = (4096, 2048, 1024, 512, 256, 128)
CACHE_RAM_STEP_MIB = 128
MOE_CACHE_STEP_MIB = 256
TOGETHER = 2  # counts to try before those that fit each card as it is
WIDE_TYPES = ("f32", "f16", "bf16")


@dataclass(frozen=True)
class Short:
    """A placement that does not fit, what it is of, and the wishes with sizes as numbers."""

    placed: Placed
    shape: ModelShape
    wanted: Wanted

    @property
    def host_over_mib(self) -> int:
        """What host RAM lacks; negative where some of it is free."""
        return self.placed.memory.host.need_mib - self.placed.memory.host.total_mib

    def without_cached_prompts(self) -> Short:
        """The same with no host RAM for cached prompts."""
        memory = self.placed.memory
        memory = replace(memory, host=replace(memory.host, cache_mib=0))
        wanted = replace(self.wanted, server_cache_ram_mib=0)
        return Short(replace(self.placed, memory=memory), self.shape, wanted)

    def may_fit(self, wish: Wanted) -> bool:
        """Whether context, checkpoints and batches of that size would leave enough, about."""
        memory = self.placed.memory
        before, after = self._kept_mib(self.wanted), self._kept_mib(wish)
        unused = 1 - size_of(wish).batch / max(size_of(self.wanted).batch, 1)
        rooms = [
            device.total_mib
            - device.need_mib
            + (before[number] - after[number])
            + device.compute_mib * unused
            for number, device in enumerate(memory.devices)
        ]
        freed = before[HOST] - after[HOST] + memory.host.compute_mib * unused
        if self.wanted.server_placement == "auto" and self.wanted.server_n_cpu_moe is None:
            # weights go from host RAM to VRAM that becomes free
            freed += sum(room for room in rooms if room > 0)
        return all(room >= 0 for room in rooms) and freed >= self.host_over_mib

    def _kept_mib(self, wish: Wanted) -> dict[int, float]:
        """Context by device and HOST, there with its checkpoints."""
        size, layout = size_of(wish), self.placed.layout
        found = dict.fromkeys(range(HOST, layout.devices), 0.0)
        places = layout.places(self.shape.spread_layers)
        for device, kept in zip(places, state_bytes(self.shape, size), strict=False):
            found[device] += kept / MIB
        each = checkpoint_bytes(self.shape, size) / MIB
        found[HOST] += per_slot(wish, size) * size.sequences * each
        return found


def _n_cpu_moe(short: Short) -> Iterator[int]:
    """More layers' experts in host RAM where VRAM is short, fewer where host RAM is.

    Cards whose shares are free may be divided anew, so that what they hold together is enough.
    """
    forced, memory, layout = short.wanted.server_n_cpu_moe, short.placed.memory, short.placed.layout
    if forced is None:
        return
    layers, more = short.shape.layers, not memory.devices_fit
    now = min(forced, len(layers))
    room_mib = {n: float(one.total_mib - one.need_mib) for n, one in enumerate(memory.devices)}
    room_mib[HOST] = -short.host_over_mib
    guesses = TOGETHER if short.wanted.server_tensor_split is None else 0
    for number in range(now, len(layers)) if more else range(now - 1, -1, -1):
        moved_mib = layers[number].expert_bytes / MIB * (1 if more else -1)
        room_mib[layout.device_of(number, short.shape.spread_layers)] += moved_mib
        room_mib[HOST] -= moved_mib
        if room_mib[HOST] < 0 or sum(room_mib.values()) < room_mib[HOST]:
            continue
        each = all(room >= 0 for room in room_mib.values())
        if each or guesses > 0:
            yield number + 1 if more else number
        guesses -= 1


def _cache_ram(short: Short) -> Iterator[int]:
    """For cached prompts; it lies in host RAM alone."""
    left_mib = short.wanted.server_cache_ram_mib - short.host_over_mib
    if short.host_over_mib > 0 and left_mib >= 0:
        yield left_mib // CACHE_RAM_STEP_MIB * CACHE_RAM_STEP_MIB


def _checkpoints(short: Short) -> Iterator[int]:
    """At least one: without any a chat would be read anew at every turn."""
    size = size_of(short.wanted)
    if not checkpoint_bytes(short.shape, size):
        return
    wanted = short.wanted
    count = largest(
        0,
        per_slot(wanted, size) - 1,
        lambda n: short.may_fit(replace(wanted, server_context_checkpoints=n)),
    )
    yield from range(count, 0, -1)


def _moe_cache(short: Short) -> Iterator[int | None]:
    """As much as the cards have beside all else, or none."""
    mib, placed = short.wanted.server_moe_cache_mib, short.placed
    if not mib or placed.placement.moe_cache_mib is None:
        return
    without = moe_cache.added(placed.memory, placed.layout, short.shape, -mib)
    free = [device.total_mib - device.need_mib for device in without.devices]
    largest = moe_cache.largest_mib(free, placed.layout, short.shape)
    if MOE_CACHE_STEP_MIB <= largest < mib:
        yield largest // MOE_CACHE_STEP_MIB * MOE_CACHE_STEP_MIB
    yield None


def _parallel(short: Short) -> Iterator[int]:
    for users in range(short.wanted.server_parallel - 1, 0, -1):
        if short.may_fit(replace(short.wanted, server_parallel=users)):
            yield users


def _ubatch(short: Short) -> Iterator[int]:
    for ubatch in UBATCHES:
        smaller = replace(short.wanted, server_ubatch=ubatch)
        if ubatch < short.wanted.server_ubatch and short.may_fit(smaller):
            yield ubatch


def _context(short: Short) -> Iterator[int]:
    """The largest that may fit, and below it; at least 4096 tokens for each user."""
    least = -(-LEAST_CONTEXT * short.wanted.server_parallel // CONTEXT_STEP)
    wanted = short.wanted
    steps = largest(
        least - 1,
        (wanted.server_context - 1) // CONTEXT_STEP,
        lambda n: short.may_fit(replace(wanted, server_context=n * CONTEXT_STEP)),
    )
    while steps >= least:
        yield steps * CONTEXT_STEP
        steps -= max(steps // 8, 1)


def _cache_type(short: Short) -> Iterator[str]:
    """Half the context's memory, at hardly any loss; types of fewer bits do lose."""
    if short.wanted.server_cache_type in WIDE_TYPES and short.may_fit(
        replace(short.wanted, server_cache_type="q8_0")
    ):
        yield "q8_0"


# the least loss first
OPTIONS: dict[str, Callable[[Short], Iterator[int | str | None]]] = {
    "server_n_cpu_moe": _n_cpu_moe,
    "server_cache_ram_mib": _cache_ram,
    "server_context_checkpoints": _checkpoints,
    "server_moe_cache_mib": _moe_cache,
    "server_cache_type": _cache_type,
    "server_ubatch": _ubatch,
    "server_parallel": _parallel,
    "server_context": _context,
}

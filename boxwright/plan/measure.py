"""The memory of one model's layouts on one machine; each is measured once."""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan import checkpoints, memory, moe_cache
from boxwright.plan.cards import UsedCard
from boxwright.plan.context import ContextSize
from boxwright.plan.layout import Layout
from boxwright.plan.results import MemoryPlan
from boxwright.plan.wanted import Wanted
from boxwright.shapes import ModelShape


class Measure:
    """Call it with a layout. What it found it keeps: a search asks for many layouts twice."""

    def __init__(
        self,
        shape: ModelShape,
        size: ContextSize,
        cards: Sequence[UsedCard],
        host_total_mib: int,
        wanted: Wanted,
    ) -> None:
        self._shape, self._size, self._cards = shape, size, cards
        self._host_total_mib, self._wanted = host_total_mib, wanted
        self._found: dict[tuple[Layout, bool], MemoryPlan] = {}

    def __call__(self, layout: Layout) -> MemoryPlan:
        """The memory of a layout."""
        return self._of(layout, buffers=True)

    def at_least(self, layout: Layout) -> MemoryPlan:
        """The same without compute buffers: quick, and enough to see that something has no room."""
        return self._of(layout, buffers=False)

    def devices_fit(self, layout: Layout) -> bool:
        """Whether every card holds what the layout gives it."""
        return self.may_fit_cards(layout) and self(layout).devices_fit

    def may_fit_cards(self, layout: Layout) -> bool:
        """Whether every card has room for that without compute buffers."""
        return self.at_least(layout).devices_fit

    def may_fit(self, layout: Layout) -> bool:
        """Whether the cards together and the host have room, however the layers are split."""
        return self.room_mib(layout) >= 0 and self.host_may_fit(layout)

    def room_mib(self, layout: Layout) -> int:
        """What all cards together have left for compute buffers; more with fewer layers."""
        devices = self.at_least(layout).devices
        return sum(device.total_mib - device.need_mib for device in devices)

    def host_may_fit(self, layout: Layout) -> bool:
        """Whether the host has room; with fewer layers on cards it needs more."""
        host = self.at_least(layout).host
        return host.need_mib <= host.total_mib

    def _of(self, layout: Layout, buffers: bool) -> MemoryPlan:
        found = self._found.get((layout, buffers))
        if found is None:
            wanted = self._wanted
            made = memory.compute(
                self._shape,
                layout,
                self._size,
                self._cards,
                self._host_total_mib,
                wanted.server_cache_ram_mib,
                buffers,
                checkpoints.per_slot(wanted, self._size),
            )
            found = moe_cache.added(made, layout, self._shape, wanted.server_moe_cache_mib)
            self._found[layout, buffers] = found
        return found

"""Memory as bars: what each card and the host hold, what is reserved, and what stays free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from boxwright.plan.results import DeviceMemory, HostMemory, MemoryPlan

BAR_CELLS = 60
# One sign and one colour per kind, so that the bar is read without colours too.
KINDS = {
    "model": ("█", "blue"),
    "context": ("▓", "cyan"),
    "compute": ("▒", "magenta"),
    "reserve": ("░", "yellow"),
    "cache": ("▚", "cyan"),
    "checkpoints": ("▞", "green"),
    "free": ("·", "dim"),
}
LEGEND = (
    "model: weights; context: KV cache and state; compute: buffers; reserve: what the driver, a"
    " prompt's experts and the system take besides; cache and checkpoints: kept of past prompts"
)


def bars(memory: MemoryPlan, names: Mapping[str, str]) -> RenderableType:
    """Three lines for every card (`names` by PCI address) and for host RAM: name, bar, numbers."""
    lines: list[RenderableType] = []
    for device in memory.devices:
        label = f"{device.pci} {names.get(device.pci, '')}".strip()
        lines += _lines(label, _of_device(device), device.total_mib)
    lines += _lines("host RAM", _of_host(memory.host), memory.host.total_mib)
    return Group(*lines, Text(LEGEND, style="dim"))


def _of_device(device: DeviceMemory) -> dict[str, int]:
    return {
        "model": device.model_mib,
        "context": device.context_mib,
        "compute": device.compute_mib,
        "reserve": device.reserve.sum_mib,
    }


def _of_host(host: HostMemory) -> dict[str, int]:
    return {
        "model": host.model_mib,
        "context": host.context_mib,
        "compute": host.compute_mib,
        "cache": host.cache_mib,
        "checkpoints": host.checkpoints_mib,
        "reserve": host.reserve_mib + host.growth_mib,
    }


def _lines(label: str, parts: dict[str, int], total_mib: int) -> list[RenderableType]:
    used_mib = sum(parts.values())
    head = Text(f"{label}: ", style="bold").append(
        f"{used_mib} of {total_mib} MiB", style="bold" if used_mib <= total_mib else "bold red"
    )
    return [head, Bar(parts, total_mib), _numbers(parts, total_mib - used_mib)]


@dataclass(frozen=True)
class Bar:
    """One bar on one line, of BAR_CELLS cells or as many as there is room for."""

    parts: dict[str, int]
    total_mib: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        frame = len("[]" if sum(self.parts.values()) <= self.total_mib else "[]!")
        yield bar(self.parts, self.total_mib, min(BAR_CELLS, options.max_width - frame))


def bar(parts: dict[str, int], total_mib: int, of_cells: int = BAR_CELLS) -> Text:
    """A bar of so many cells; a part that is there at all gets at least one cell."""
    used_mib = sum(parts.values())
    scale = of_cells / max(total_mib, used_mib, 1)
    cells = {kind: max(1, round(mib * scale)) for kind, mib in parts.items() if mib > 0}
    if (over := sum(cells.values()) - of_cells) > 0:  # the small parts, each rounded up
        cells[max(cells, key=lambda kind: cells[kind])] -= over
    cells["free"] = max(0, of_cells - sum(cells.values())) if used_mib < total_mib else 0
    text = Text("[")
    for kind, count in cells.items():
        sign, style = KINDS[kind]
        text.append(sign * count, style=style)
    return text.append("]" if used_mib <= total_mib else "]!")


def _numbers(parts: dict[str, int], left_mib: int) -> Text:
    text = Text()
    for kind, mib in [*parts.items(), ("free", left_mib)]:
        if mib > 0:
            sign, style = KINDS[kind]
            text.append(sign, style=style).append(f" {kind} {mib}  ")
    return text if left_mib >= 0 else text.append(f"{-left_mib} too much", style="red")

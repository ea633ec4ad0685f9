"""A plan as a picture: bars of memory per device and host, and what else was decided, in words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from boxwright.machine import Gpu, Machine
from boxwright.plan.results import DeviceMemory, DriverPlan, HostMemory, Plan, Speed

BAR_CELLS = 48
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


def picture_of(name: str, machine: Machine, plan: Plan) -> RenderableType:
    """One host's plan: a panel that begins with the refusal, if there is one."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column()
    for label, value in _decisions(plan):
        rows.add_row(label, value)
    parts: list[RenderableType] = []
    if plan.refusal:
        parts.append(Text(f"REFUSED: {plan.refusal.reason}.", style="bold red"))
        parts.append(Text(f"Cure: {plan.refusal.cure}.\n", style="yellow"))
    parts.append(rows)
    if plan.memory:
        cards = {gpu.pci: gpu for gpu in machine.gpus}
        parts.append(Text())
        parts.append(_bars(plan.memory.devices, plan.memory.host, cards))
    for warning in plan.warnings:
        parts.append(Text(f"Warning: {warning}", style="yellow"))
    if plan.offers:
        parts.append(Text("\nWhat it could do as well, each alone, by setting:"))
        parts += [Padding(Text(offer, style="green"), (0, 0, 0, 2)) for offer in plan.offers]
    return Panel(
        Group(*parts), title=f"{name}: {_machine_line(machine)}", title_align="left", expand=True
    )


def _machine_line(machine: Machine) -> str:
    cpu = machine.cpu
    return (
        f"{machine.os.id} {machine.os.version_id}, {cpu.model}, {cpu.cores} cores,"
        f" {machine.memory.total_mib / 1024:.0f} GiB"
    )


def _decisions(plan: Plan) -> list[tuple[str, RenderableType]]:
    rows: list[tuple[str, RenderableType]] = []
    if plan.driver:
        rows.append(("driver", _driver(plan.driver)))
    if plan.runtime:
        cuda = f"CUDA {plan.runtime.cuda}" if plan.runtime.cuda else "CPU"
        rows.append(
            ("llama.cpp", f"{plan.runtime.build}, {cuda} ({plan.runtime.kind}): {plan.runtime.why}")
        )
    if plan.model:
        size = "size not known" if plan.model.size_mib is None else f"{plan.model.size_mib} MiB"
        files = f"{len(plan.model.files)} files"
        rows.append(("model", f"{plan.model.name} {plan.model.quant}, {files}, {size}"))
    if plan.placement:
        rows.append(("placement", _placement(plan)))
    if plan.tuning:
        rows.append(("tuning", ", ".join(f"{k}={v}" for k, v in plan.tuning.sysctl.items())))
    if plan.server:
        rows.append(("server", Text(_flags(plan.server.args))))
    if plan.speed:
        rows.append(("speed", _speed(plan.speed)))
        rows.append(("first token", _first_token(plan.speed)))
        if plan.speed.power_w is not None:
            heat = f"{plan.speed.heat_btu_h} BTU/h"
            rows.append(("power", f"about {plan.speed.power_w} W under load, {heat} of heat"))
    return rows


def _driver(driver: DriverPlan) -> str:
    words = [f"{driver.branch} {driver.flavour}", driver.source]
    if driver.module_stream:
        words.append(f"module stream {driver.module_stream}")
    if driver.build == "signed" and driver.packages:
        words.append("signed modules")
    if driver.remove:
        words.append("replaces what is there")
    if driver.reboot:
        words.append("reboots")
    return f"{', '.join(words)}: {driver.why}"


def _placement(plan: Plan) -> str:
    placed = plan.placement
    assert placed is not None
    words = [f"{placed.gpu_layers} layers on the GPU"] if plan.driver else ["on the processor"]
    if placed.cpu_moe:
        words.append("all experts in host RAM")
    elif placed.host_expert_layers:
        words.append(f"experts of {placed.host_expert_layers} layers in host RAM")
    if placed.tensor_split:
        words.append("split " + ":".join(f"{part:g}" for part in placed.tensor_split))
    if placed.moe_cache_mib:
        words.append(f"{placed.moe_cache_mib} MiB of VRAM for experts used last")
    return ", ".join(words)


def _flags(args: Sequence[str]) -> str:
    """The arguments with each flag kept beside its values."""
    lines: list[str] = []
    for word in args:
        negative_number = word[1:2].isdigit()
        if word.startswith("-") and not negative_number:
            lines.append(word)
        elif lines:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "  ".join(lines)


def _speed(speed: Speed) -> str:
    low, expected, high = speed.decode_tok_s
    before, prefill, after = speed.prefill_tok_s
    return (
        f"decode {expected:.1f} tok/s ({low:.1f} to {high:.1f}),"
        f" prefill {prefill:.0f} tok/s ({before:.0f} to {after:.0f}); bound by {speed.bound_by}"
    )


def _first_token(speed: Speed) -> str:
    """How long a prompt takes before its answer begins, for short and long ones."""
    times = (f"{_duration(s)} after {tokens // 1024}k tokens" for tokens, s in speed.ttft_s.items())
    return "about " + ", ".join(times)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _bars(
    devices: Sequence[DeviceMemory], host: HostMemory, cards: dict[str, Gpu]
) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for device in devices:
        gpu = cards.get(device.pci)
        parts = {
            "model": device.model_mib,
            "context": device.context_mib,
            "compute": device.compute_mib,
            "reserve": device.reserve.sum_mib,
        }
        label = f"{device.pci} {(gpu.name or gpu.id) if gpu else ''}"
        table.add_row(label, bar(parts, device.total_mib), _numbers(parts, device.total_mib))
    parts = {
        "model": host.model_mib,
        "context": host.context_mib,
        "compute": host.compute_mib,
        "cache": host.cache_mib,
        "checkpoints": host.checkpoints_mib,
        "reserve": host.reserve_mib,
    }
    table.add_row("host RAM", bar(parts, host.total_mib), _numbers(parts, host.total_mib))
    return table


def bar(parts: dict[str, int], total_mib: int) -> Text:
    """One bar of BAR_CELLS cells; a part that is there at all gets at least one cell."""
    used_mib = sum(parts.values())
    scale = BAR_CELLS / max(total_mib, used_mib, 1)
    cells = {kind: max(1, round(mib * scale)) for kind, mib in parts.items() if mib > 0}
    cells["free"] = max(0, BAR_CELLS - sum(cells.values())) if used_mib < total_mib else 0
    text = Text("[")
    for kind, count in cells.items():
        sign, style = KINDS[kind]
        text.append(sign * count, style=style)
    return text.append("]" if used_mib <= total_mib else "]!")


def _numbers(parts: dict[str, int], total_mib: int) -> Text:
    used_mib = sum(parts.values())
    text = Text(
        f"{used_mib} of {total_mib} MiB: ", style="bold" if used_mib <= total_mib else "red"
    )
    for kind, mib in parts.items():
        if mib > 0:
            sign, style = KINDS[kind]
            text.append(f"{sign} ", style=style).append(f"{kind} {mib}  ", style="default")
    left = total_mib - used_mib
    return text.append(f"{KINDS['free'][0]} free {left}" if left >= 0 else f"{-left} too much")

"""A plan as a picture: bars of memory per device and host, and what else was decided, in words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from boxwright import catalog
from boxwright.cli.bars import bars
from boxwright.machine import Machine
from boxwright.plan.results import DriverPlan, ModelPlan, Plan, ServerPlan, Speed
from boxwright.plan.server import LOOPBACK
from boxwright.plan.wording import counted


def picture_of(name: str, machine: Machine, plan: Plan) -> RenderableType:
    """One host's plan: a refusal first, then what runs how fast, memory, and how it gets there."""
    groups: list[list[RenderableType]] = [_refusal(plan), _rows(_outcome(machine, plan))]
    if plan.memory:
        groups.append([bars(plan.memory, _names(machine))])
    groups += [_rows(_way(plan)), _listed("Warnings and notes:", plan.warnings, "yellow")]
    offered = "What it could do as well, each alone, by setting (here --ubatch and --ctx try it):"
    groups.append(_listed(offered, plan.offers, "green"))
    parts: list[RenderableType] = []
    for group in filter(None, groups):
        parts += [Text(), *group] if parts else group
    return Panel(Group(*parts), title=Text(name), title_align="left", expand=True)


def _refusal(plan: Plan) -> list[RenderableType]:
    if plan.refusal is None:
        return []
    return [
        Text(f"REFUSED: {plan.refusal.reason}.", style="bold red"),
        Text(f"Cure: {plan.refusal.cure}.", style="yellow"),
    ]


def _listed(title: str, sentences: Sequence[str], style: str) -> list[RenderableType]:
    if not sentences:
        return []
    return [Text(title), *(Padding(Text(one, style), (0, 0, 0, 2)) for one in sentences)]


def _rows(rows: list[tuple[str, str]]) -> list[RenderableType]:
    """Labels with what they mean beside them; arguments longer than a line are cut, not dropped."""
    if not rows:
        return []
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(label, Text(value, overflow="fold"))
    return [table]


def _names(machine: Machine) -> dict[str, str]:
    """Cards by PCI address, as the driver calls them, else as their ids do."""
    known = catalog.load()
    return {gpu.pci: gpu.name or known.gpu(gpu.id).name for gpu in machine.gpus}


def _machine_line(machine: Machine) -> str:
    cpu = machine.cpu
    return (
        f"{machine.os.id} {machine.os.version_id}, {cpu.model}, {cpu.cores} cores,"
        f" {machine.memory.total_mib / 1024:.0f} GiB"
    )


def _outcome(machine: Machine, plan: Plan) -> list[tuple[str, str]]:
    """What will run, where, and how fast."""
    rows = [("machine", _machine_line(machine))]
    if plan.model:
        rows.append(("model", _model(plan.model)))
    if plan.server:
        rows.append(("serves", _serves(plan.server)))
    if plan.placement:
        rows.append(("placement", _placement(plan)))
    if plan.speed:
        rows += _speed(plan.speed)
        if plan.speed.ttft_s:
            context = _context_of_one(plan.server) if plan.server else 0
            rows.append(("first token", _first_token(plan.speed, context)))
        if plan.speed.power_w is not None:
            heat = f"{plan.speed.heat_btu_h} BTU/h"
            rows.append(("power", f"about {plan.speed.power_w} W under load, {heat} of heat"))
    return rows


def _way(plan: Plan) -> list[tuple[str, str]]:
    """What is installed and set for it, and how the server is started."""
    rows = []
    if plan.driver:
        rows.append(("driver", _driver(plan.driver)))
    if plan.runtime:
        cuda = f"CUDA {plan.runtime.cuda}" if plan.runtime.cuda else "CPU"
        build = f"{plan.runtime.build}, {cuda} ({plan.runtime.kind})"
        rows.append(("llama.cpp", f"{build}: {plan.runtime.why}"))
    if plan.tuning and plan.tuning.sysctl:
        rows.append(("tuning", ", ".join(f"{k}={v}" for k, v in plan.tuning.sysctl.items())))
    if plan.server:
        rows.append(("server", _flags(plan.server.args)))
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
    why = driver.why.removeprefix(f"branch {driver.branch}, {driver.flavour}: ")
    return f"{', '.join(words)}: {why}"


def _model(model: ModelPlan) -> str:
    size = "size not known" if model.size_mib is None else f"{model.size_mib} MiB"
    count = len(model.files)
    files = counted(count, "file") if count else "files not known yet"
    return f"{model.name} {model.quant}, {files}, {size}"


def _serves(server: ServerPlan) -> str:
    """What users get, and where."""
    users, each = int(_value(server, "--parallel")), _context_of_one(server)
    whom = "one user" if users == 1 else f"each of {users} users"
    host = f"[{server.host}]" if ":" in server.host else server.host
    where = f"at http://{host}:{server.port}, to this machine only"
    if server.host not in LOOPBACK:
        where = f"at {server.host}, port {server.port}, to whoever has the API key"
    cache = _value(server, "--cache-type-k")
    return f"{counted(each, 'token')} of context to {whom} (KV cache {cache}), {where}"


def _placement(plan: Plan) -> str:
    placed = plan.placement
    assert placed is not None
    cards = len(plan.memory.devices) if plan.memory else 0
    where = "the GPU" if cards == 1 else counted(cards, "GPU")
    words = [f"{placed.gpu_layers} layers on {where}"] if cards else ["on the processor"]
    if placed.cpu_moe:
        words.append("all experts in host RAM")
    elif cards and placed.host_expert_layers:
        of = f"{placed.host_expert_layers} of {counted(placed.expert_layers, 'layer')}"
        words.append(f"experts of {of} in host RAM")
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


def _speed(speed: Speed) -> list[tuple[str, str]]:
    low, expected, high = speed.decode_tok_s
    before, prefill, after = speed.prefill_tok_s
    limit = "measured" if speed.bound_by == "measured" else f"limited by {speed.bound_by}"
    at_depth = ", ".join(
        f"{found:g} with {tokens // 1024}k" for tokens, found in speed.decode_at_depth_tok_s.items()
    )
    return [
        ("decode", f"{expected:g} tok/s of an answer ({low:g} to {high:g}), {limit}"),
        *([("at depth", f"{at_depth} tokens in the context")] if at_depth else []),
        ("prefill", f"{prefill:.0f} tok/s of a prompt ({before:.0f} to {after:.0f})"),
    ]


def _first_token(speed: Speed, context: int) -> str:
    """How long a prompt takes before its answer begins, for short and long ones."""
    times = [
        f"{_duration(seconds)} for a prompt of {tokens // 1024}k"
        + (" (more than the context)" if tokens > context else "")
        for tokens, seconds in speed.ttft_s.items()
    ]
    return f"about {', '.join(times)}"


def _context_of_one(server: ServerPlan) -> int:
    """Tokens of context for one user."""
    return int(_value(server, "--ctx-size")) // int(_value(server, "--parallel"))


def _value(server: ServerPlan, flag: str) -> str:
    return server.args[server.args.index(flag) + 1]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

"""A machine report as a picture: what the machine is made of, a line for each part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from boxwright.catalog import SpeedConstants
from boxwright.machine import Dimm, Gpu, Machine
from boxwright.plan.bandwidth import host_bandwidth, measured_gb_s
from boxwright.plan.wording import counted

SECURE_BOOT = {True: "on", False: "off", None: "not known"}


def portrait_of(name: str, machine: Machine, constants: SpeedConstants) -> RenderableType:
    """One host's panel; `constants` name the channels of processors whose slots tell none."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column()
    for label, lines in _parts(machine, constants):
        rows.add_row(label, Text("\n".join(lines)))
    title = name if machine.hostname in (name, "unknown") else f"{name} ({machine.hostname})"
    return Panel(rows, title=Text(title), title_align="left", expand=True)


def _parts(machine: Machine, constants: SpeedConstants) -> Iterator[tuple[str, list[str]]]:
    yield "system", [_system(machine)]
    yield "processor", [_processor(machine)]
    for node in machine.numa:
        cpus = f"CPUs {node.cpus}" if node.cpus else "no CPU"
        memory = f"{node.memory_mib} MiB" if node.memory_mib else "no memory"
        yield f"node {node.node}", [f"{cpus}, {memory}"]
    yield "memory", [_memory(machine), *_modules(machine, constants)]
    yield "cards", [_card(gpu) for gpu in machine.gpus] or ["none"]
    yield "driver", [_driver(machine)]
    yield "llama.cpp", [_llama(machine)]


def _system(machine: Machine) -> str:
    os = machine.os
    words = [f"{os.id} {os.version_id}".strip(), f"kernel {os.kernel or 'not known'}", os.arch]
    words += [f"glibc {os.glibc}"] if os.glibc else []
    words += [f"Secure Boot {SECURE_BOOT[machine.secure_boot]}"]
    words += [f"inside a container ({machine.container})"] if machine.container else []
    return ", ".join(words)


def _processor(machine: Machine) -> str:
    cpu = machine.cpu
    fast = f" ({cpu.performance_cores} fast)" if cpu.performance_cores else ""
    words = [counted(cpu.sockets, "socket"), counted(cpu.cores, "core") + fast]
    return ", ".join([cpu.model or "not known", *words, counted(cpu.threads, "thread")])


def _memory(machine: Machine) -> str:
    memory = machine.memory
    swap = f"{memory.swap_mib} MiB swap" if memory.swap_mib else "no swap"
    words = [f"{memory.total_mib} MiB", f"{memory.available_mib} MiB available", swap]
    read_gb_s = measured_gb_s(machine)
    words += [f"read at {read_gb_s:g} GB/s when measured"] if read_gb_s else []
    return ", ".join(words)


def _modules(machine: Machine, constants: SpeedConstants) -> list[str]:
    kinds = Counter(_module(dimm) for dimm in machine.memory.dimms)
    if not kinds:
        return ["modules not known"]
    fitted = ", ".join(f"{count} x {kind}" for kind, count in kinds.items())
    most = host_bandwidth(machine, constants)
    if not most.modules_known:
        return [fitted]
    return [f"{fitted}: {counted(most.channels, 'channel')}, {most.total_gb_s:.1f} GB/s in theory"]


def _module(dimm: Dimm) -> str:
    size = f"{dimm.size_mib // 1024} GiB" if dimm.size_mib % 1024 == 0 else f"{dimm.size_mib} MiB"
    speed = f"at {dimm.speed_mts} MT/s" if dimm.speed_mts else "at a speed not known"
    return " ".join([size, *([dimm.type] if dimm.type else []), speed])


def _card(gpu: Gpu) -> str:
    words = [f"{gpu.pci} {gpu.id}" + (f" {gpu.name}" if gpu.name else "")]
    words += [f"{gpu.vram_mib} MiB"] if gpu.vram_mib is not None else []
    words += [f"driver {gpu.driver}" if gpu.driver else "no driver"]
    words += [f"node {gpu.numa_node}"] if gpu.numa_node is not None else []
    words += [_link(gpu)] if gpu.link_speed_gts or gpu.link_width else []
    words += [f"power {gpu.power}"] if gpu.power not in (None, "D0") else []
    words += ["MIG mode"] if gpu.mig else []
    return ", ".join(words)


def _link(gpu: Gpu) -> str:
    speed = f"{gpu.link_speed_gts:g} GT/s" if gpu.link_speed_gts else "unknown speed"
    return f"{speed} x{gpu.link_width or '?'}"


def _driver(machine: Machine) -> str:
    nvidia = machine.nvidia
    if not (nvidia.loaded or nvidia.installed or nvidia.userspace):
        return "none"
    kind = f" ({nvidia.flavour})" if nvidia.flavour else ""
    parts = {"loaded": nvidia.loaded, "on disk": nvidia.installed, "userspace": nvidia.userspace}
    return ", ".join(f"{name} {version or 'none'}" for name, version in parts.items()) + kind


def _llama(machine: Machine) -> str:
    llama = machine.llama
    serves = f", serves {llama.model}" if llama.model else ""
    return f"{llama.build or 'not installed'}, service {llama.service}{serves}"

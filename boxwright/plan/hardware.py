"""What a measurement belongs to: the parts of a machine that decide its speed, as one word each."""

from __future__ import annotations

import hashlib

from boxwright.machine import Machine

DIGITS = 16
STEP_MIB = 4096


def modules_digest(machine: Machine) -> str:
    """The memory modules: how many, how fast, and on which slots of how many sockets."""
    modules = sorted(
        (dimm.slot or "", dimm.size_mib, dimm.speed_mts or 0) for dimm in machine.memory.dimms
    )
    # where modules are not known a kernel may still keep some MiB more or less of them
    size = 0 if modules else round(machine.memory.total_mib / STEP_MIB)
    return _digest(machine.cpu.sockets, size, *modules)


def hardware_digest(machine: Machine) -> str:
    """Processors, memory modules and cards; not what changes by itself, such as a link's speed."""
    cards = sorted((gpu.pci, gpu.id) for gpu in machine.gpus)
    cpu = machine.cpu
    return _digest(cpu.model, cpu.sockets, cpu.cores, modules_digest(machine), *cards)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:DIGITS]

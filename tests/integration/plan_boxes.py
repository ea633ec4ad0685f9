"""Boxes of certain cards and RAM for the planner's tests, and what plans expect of them."""

from __future__ import annotations

from typing import Any

from boxwright.machine import Machine
from tests.unit.plans import AMPERE, gpu, machine

P40, RTX_3090, RTX_3060 = "10de:1b38", "10de:2204", "10de:2503"
P5000, GTX_1050 = "10de:1bb0", "10de:1c82"
EPYC: dict[str, Any] = {"model": "AMD EPYC 9354 32-Core Processor", "sockets": 1, "cores": 32,
                        "threads": 64}  # fmt: skip
TWELVE = [{"size_mib": 32768, "speed_mts": 4800, "type": "DDR5", "slot": f"CH{n}"}
          for n in range(12)]  # fmt: skip


def with_cards(id: str, *vram_mib: int, **changes: Any) -> Machine:
    """The xeon with cards of this kind, of this much VRAM each."""
    cards = [gpu(f"0000:{n:02x}:00.0", id, vram_mib=size) for n, size in enumerate(vram_mib, 1)]
    return machine("xeon", gpus=cards, **changes)


def with_ram(ram_mib: int, *vram_mib: int, id: str = AMPERE, **changes: Any) -> Machine:
    """The same with so much RAM."""
    return with_cards(id, *vram_mib, memory={"total_mib": ram_mib}, **changes)


def epyc(id: str, *vram_mib: int) -> Machine:
    """Twelve channels of DDR5: some 460 GB/s, more than a P40 reads."""
    memory = {"total_mib": 386000, "available_mib": 380000, "dimms": TWELVE}
    numa = [{"node": 0, "cpus": "0-63", "memory_mib": 386000}]
    return with_cards(id, *vram_mib, cpu=EPYC, memory=memory, numa=numa)


def decode(made: Any) -> float:
    """Tokens per second to expect of an answer."""
    assert made.refusal is None and made.speed is not None
    return float(made.speed.decode_tok_s[1])


def prefill(made: Any) -> float:
    """Tokens per second to expect of a prompt."""
    assert made.refusal is None and made.speed is not None
    return float(made.speed.prefill_tok_s[1])

"""The layout that is chosen is the fastest, also where old cards are slower than host memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.machine import Machine
from tests.unit.plans import gpu, machine, planned, qwen35_122b

P40, RTX_3090 = "10de:1b38", "10de:2204"
EPYC: dict[str, Any] = {"model": "AMD EPYC 9354 32-Core Processor", "sockets": 1, "cores": 32,
                        "threads": 64}  # fmt: skip
TWELVE = [{"size_mib": 32768, "speed_mts": 4800, "type": "DDR5", "slot": f"CH{n}"}
          for n in range(12)]  # fmt: skip


def box(id: str, *vram_mib: int, **changes: Any) -> Machine:
    cards = [gpu(f"0000:{n:02x}:00.0", id, vram_mib=size) for n, size in enumerate(vram_mib, 1)]
    return machine("xeon", gpus=cards, **changes)


def epyc(id: str, *vram_mib: int) -> Machine:
    """Twelve channels of DDR5: some 460 GB/s, more than a P40 reads."""
    memory = {"total_mib": 386000, "available_mib": 380000, "dimms": TWELVE}
    numa = [{"node": 0, "cpus": "0-63", "memory_mib": 386000}]
    return box(id, *vram_mib, cpu=EPYC, memory=memory, numa=numa)


def decode(made: Any) -> float:
    assert made.refusal is None and made.speed is not None
    return float(made.speed.decode_tok_s[1])


@pytest.mark.parametrize("on", [epyc(P40, 24576, 24576), epyc(RTX_3090, 24576), machine("xeon")])
def test_auto_is_never_slower_than_the_article_s_layout(on: Machine) -> None:
    auto = planned(on, qwen35_122b())
    forced = planned(on, qwen35_122b(), server_placement="cpu-moe")
    assert decode(auto) >= 0.95 * decode(forced)


def test_old_cards_beside_fast_memory_get_no_experts() -> None:
    made = planned(epyc(P40, 24576, 24576), qwen35_122b())
    assert made.placement is not None and made.placement.cpu_moe


@settings(max_examples=20, deadline=None)
@given(
    vram_mib=st.integers(10000, 40000),
    more=st.integers(1, 30000),
    id=st.sampled_from([P40, RTX_3090]),
)
def test_a_larger_card_is_never_slower(vram_mib: int, more: int, id: str) -> None:
    small = planned(box(id, vram_mib), qwen35_122b())
    large = planned(box(id, vram_mib + more), qwen35_122b())
    assert decode(large) >= 0.95 * decode(small)

"""Cures are true: what a refusal for memory says to add, added, is accepted."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.plan import Plan
from boxwright.shapes import ModelShape
from tests.unit.plans import gpu, machine, minimax_m2, planned, qwen35_122b, tiny

MORE_RAM = re.compile(r"add (\d+) GiB of RAM")
MORE_VRAM = re.compile(r"use cards with (\d+) GiB more VRAM each")
CARDS = st.lists(st.sampled_from([4096, 8192, 12288, 16384, 24576]), min_size=1, max_size=3)


def plan_of(shape: ModelShape, ram_mib: int, cards: list[int], wishes: dict[str, Any]) -> Plan:
    fitted = [
        gpu(f"0000:{n:02x}:00.0", "10de:2204", vram_mib=size) for n, size in enumerate(cards, 1)
    ]
    return planned(machine("xeon", memory={"total_mib": ram_mib}, gpus=fitted), shape, **wishes)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from([qwen35_122b(), minimax_m2(), tiny()]),
    ram_mib=st.integers(6000, 140000),
    cards=CARDS,
    wishes=st.fixed_dictionaries(
        {
            "server_context": st.sampled_from([8192, 32768, 131072]),
            "server_placement": st.sampled_from(["auto", "auto", "gpu", "cpu-moe"]),
            "server_ubatch": st.sampled_from([512, 2048]),
        }
    ),
)
def test_what_is_to_be_added_is_enough(
    shape: ModelShape, ram_mib: int, cards: list[int], wishes: dict[str, Any]
) -> None:
    if wishes["server_placement"] == "cpu-moe" and not shape.experts:
        wishes = {**wishes, "server_placement": "auto"}
    made = plan_of(shape, ram_mib, cards, wishes)
    if made.refusal is None:
        return
    ram, vram = MORE_RAM.search(made.refusal.cure), MORE_VRAM.search(made.refusal.cure)
    assert ram or vram, made.refusal.sentence()
    more_ram_mib = int(ram[1]) * 1024 if ram else 0
    more_vram_mib = int(vram[1]) * 1024 if vram else 0
    cured = plan_of(shape, ram_mib + more_ram_mib, [c + more_vram_mib for c in cards], wishes)
    assert cured.refusal is None, (made.refusal.sentence(), cured.refusal)

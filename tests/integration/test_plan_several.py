"""What is wrong in two ways is told at once: a cure that leads to the next refusal is none."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from boxwright.machine import Machine
from boxwright.plan import Plan
from boxwright.shapes import ModelShape
from tests.unit.plans import PASCAL, gpu, layers, machine, minimax_m2, planned, qwen35_122b, tiny

OPTION = re.compile(r"(?:set|lower|raise) (\w+) to (\w+)(?: \(off\))?|leave (\w+) unset")


def box(ram_mib: int, cards: int, free_mib: int = 900000) -> Machine:
    disk = {"mount": "/", "filesystem": "ext4", "size_mib": 10**6, "free_mib": free_mib}
    fitted = [gpu(f"0000:{slot:02x}:00.0", PASCAL) for slot in range(1, cards + 1)]
    return machine("xeon", memory={"total_mib": ram_mib}, gpus=fitted, disks=[disk])


def cured(cure: str, ram_mib: int, cards: int, free_mib: int) -> tuple[Machine, dict[str, Any]]:
    """The machine and the wishes, once all parts of one cure are done."""
    wishes: dict[str, Any] = {}
    for part in cure.split(" and "):
        if found := OPTION.fullmatch(part):
            name, value, unset = found.groups()
            given = int(value) if value and value.isdecimal() else value
            wishes[unset or name] = given
        elif found := re.fullmatch(r"add (\d+) GiB of RAM", part):
            ram_mib += int(found[1]) * 1024
        elif found := re.fullmatch(r"free (\d+) MiB there", part):
            free_mib += int(found[1])
        else:
            raise AssertionError(part)
    return box(ram_mib, cards, free_mib), wishes


@pytest.mark.parametrize(
    ("shape", "wishes", "option"),
    [
        (tiny(), {"server_tensor_split": (1.0, 1.0)}, "server_tensor_split"),
        (tiny(), {"server_tensor_split": (1.0, 1.0, 1.0)}, "server_tensor_split"),
        (tiny(), {"server_n_cpu_moe": 999}, "server_n_cpu_moe"),
        (qwen35_122b(), {"server_n_cpu_moe": 20}, "server_n_cpu_moe"),
    ],
)
def test_what_is_forced_onto_a_card_that_is_too_small_need_only_be_left_unset(
    shape: ModelShape, wishes: dict[str, Any], option: str
) -> None:
    """Free to choose, the plan leaves such a card without work: so nothing else is lacking."""
    cards = [
        gpu("0000:01:00.0", "10de:2204", vram_mib=24576),
        gpu("0000:02:00.0", "10de:1d01", vram_mib=600),
    ]
    on = machine("xeon", gpus=cards)
    refused = planned(on, shape, **wishes).refusal
    assert refused is not None and "; also, " not in refused.reason
    assert "unset" in refused.cure and option in refused.reason + refused.cure
    assert planned(on, shape, **{**wishes, option: None}).refusal is None


@pytest.mark.parametrize(
    ("shape", "ram_mib", "cards", "free_mib", "wishes", "named"),
    [
        (minimax_m2(), 64000, 2, 50000, {}, ("host RAM", "more on /")),
        (qwen35_122b(), 16000, 0, 900000, {"server_n_cpu_moe": 20}, ("0 cards are", "host RAM")),
        (
            qwen35_122b(), 40000, 2, 900000,
            {"server_n_cpu_moe": 20, "server_placement": "cpu-moe"}, ("means all", "host RAM"),
        ),
        (
            qwen35_122b(), 40000, 1, 900000,
            {"server_tensor_split": (1.0, 1.0), "server_placement": "cpu-moe"},
            ("needs 1 share", "host RAM"),
        ),
        (
            tiny(), 1100, 1, 900000,
            {"server_placement": "cpu-moe", "server_context": 131072}, ("no experts", "host RAM"),
        ),
        (qwen35_122b(), 16000, 0, 100, {"server_placement": "gpu"}, ("no NVIDIA", "more on /")),
        # without cards neither of the two can stay; of the rest nothing is lacking
        (
            qwen35_122b(), 200000, 0, 900000,
            {"server_placement": "gpu", "server_n_cpu_moe": 20}, ("no NVIDIA",),
        ),
        # shares that are right are left, so what they leave to the host is lacking
        (
            replace(tiny(), layers=layers(16, dense=960, kv=512)), 3800, 2, 900000,
            {"server_placement": "cpu-moe", "server_tensor_split": (16.0, 1.0)},
            ("no experts", "host RAM"),
        ),
    ],
)  # fmt: skip
def test_the_first_cure_is_accepted_as_a_whole(
    shape: ModelShape, ram_mib: int, cards: int, free_mib: int, wishes: dict[str, Any],
    named: tuple[str, ...],
) -> None:  # fmt: skip
    told_and_accepted(named, shape, ram_mib, cards, free_mib, wishes)


def told_and_accepted(
    named: tuple[str, ...], shape: ModelShape, ram_mib: int, cards: int, free_mib: int,
    wishes: dict[str, Any],
) -> None:  # fmt: skip
    """The refusal names all of these, and each of its cures is accepted as a whole."""
    made = planned(box(ram_mib, cards, free_mib), shape, **wishes)
    assert made.refusal is not None
    for words in named:
        assert words in made.refusal.reason
    accepted(made, shape, ram_mib, cards, free_mib, wishes)


def accepted(
    made: Plan, shape: ModelShape, ram_mib: int, cards: int, free_mib: int, wishes: dict[str, Any]
) -> None:
    assert made.refusal is not None
    first = made.refusal.cure.split(", or ")[0]
    on, more = cured(first, ram_mib, cards, free_mib)
    again = planned(on, shape, **{**wishes, **more})
    assert again.refusal is None, (first, again.refusal)


def test_a_contradiction_alone_is_told_alone() -> None:
    made = planned(box(300000, 2), qwen35_122b(), server_tensor_split=(1.0, 1.0, 1.0))
    assert made.refusal is not None and "also" not in made.refusal.reason
    assert made.refusal.cure == "correct server_tensor_split, or leave it unset"

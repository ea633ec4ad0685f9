"""A wrong option hides no other refusal: its cures are planned before they are told."""

from __future__ import annotations

from typing import Any

import pytest

from boxwright.machine import Machine
from boxwright.shapes import ModelShape
from tests.integration.test_plan_several import OPTION, box, cured, told_and_accepted
from tests.unit.plans import PASCAL, gpu, machine, minimax_m2, planned, qwen35_122b, tiny


@pytest.mark.parametrize(
    ("shape", "ram_mib", "cards", "free_mib", "wishes", "named"),
    [
        (qwen35_122b(), 64000, 0, 900000, {"gpu_count": 1}, ("this machine has 0", "host RAM")),
        (
            qwen35_122b(), 64000, 0, 900000, {"gpu_count": 1, "server_batch": 256},
            ("this machine has 0", "physical batch", "host RAM"),
        ),
        (
            qwen35_122b(), 40000, 1, 900000, {"server_n_cpu_moe": 44, "server_placement": "gpu"},
            ("placement is 'gpu'", "host RAM"),
        ),
        (minimax_m2(), 64000, 2, 50000, {"server_batch": 256}, ("batch", "host RAM", "more on /")),
        (
            qwen35_122b(), 200000, 1, 900000,
            {"server_batch": 256, "server_n_cpu_moe": 20, "server_placement": "cpu-moe"},
            ("batch", "means all"),
        ),
        # the last of two values for one option is the one to set
        (
            tiny(), 200000, 1, 900000,
            {"server_batch": 1024, "server_ubatch": 4096, "server_placement": "gpu",
             "server_context": 131072, "server_parallel": 3, "server_cache_type": "q4_0"},
            ("batch",),
        ),
        (qwen35_122b(), 40000, 1, 900000, {"server_cache_ram_mib": -1}, ("no limit", "host RAM")),
        (qwen35_122b(), 40000, 1, 900000, {"server_parallel": 0}, ("needs 1 to 256", "host RAM")),
        (
            qwen35_122b(), 40000, 2, 900000,
            {"runtime_build": "b10068", "server_moe_cache_mib": 2048},
            ("host RAM", "does not take --moe-cache-mib"),
        ),
    ],
)  # fmt: skip
def test_what_a_wrong_option_hid_is_told_with_it(
    shape: ModelShape, ram_mib: int, cards: int, free_mib: int, wishes: dict[str, Any],
    named: tuple[str, ...],
) -> None:  # fmt: skip
    told_and_accepted(named, shape, ram_mib, cards, free_mib, wishes)


@pytest.mark.parametrize(
    ("wishes", "cure"),
    [
        # neither of the article's cards has room for all layers' experts but ten
        ({"server_n_cpu_moe": 10, "server_placement": "cpu-moe"}, "leave server_n_cpu_moe unset"),
        ({"server_n_cpu_moe": 10, "server_placement": "gpu"}, None),
        (
            {"server_n_cpu_moe": 44, "server_placement": "cpu-moe"},
            "leave server_n_cpu_moe unset, or set server_placement to auto",
        ),
        ({"server_n_cpu_moe": 44, "server_placement": "gpu"}, "set server_placement to auto"),
        (
            {"server_batch": 256},
            "lower server_ubatch to 256, or raise server_batch to 512",
        ),
        # a larger batch needs more VRAM than the cards have beside all that is kept there
        (
            {"server_batch": 256, "server_ubatch": 65536, "server_placement": "cpu-moe"},
            "lower server_ubatch to 256",
        ),
    ],
)  # fmt: skip
def test_cures_that_would_be_refused_are_not_told(wishes: dict[str, Any], cure: str | None) -> None:
    """Of two that are enough each, only those that are accepted."""
    made = planned(box(128000, 2), qwen35_122b(), **wishes)
    assert made.refusal is not None
    assert cure in (made.refusal.cure, None)
    for one in made.refusal.cure.split(", or "):
        if all(map(OPTION.fullmatch, one.split(" and "))):
            _, more = cured(one, 128000, 2, 900000)
            again = planned(box(128000, 2), qwen35_122b(), **{**wishes, **more})
            assert again.refusal is None, (one, again.refusal)


@pytest.mark.parametrize(
    ("ram_mib", "held", "cure"),
    [
        (128000, (15000, 0), "leave this card alone with ignore_gpus"),
        (128000, (15000, 15000), "leave these cards alone with ignore_gpus"),
        (70000, (15000, 15000), None),  # too little RAM for the host alone
    ],
)
def test_all_cards_that_others_hold_are_named_at_once(
    ram_mib: int, held: tuple[int, ...], cure: str | None
) -> None:
    def on(held: tuple[int, ...]) -> Machine:
        fitted = [
            gpu(f"0000:{slot:02x}:00.0", PASCAL, vram_mib=16384, vram_used_mib=mib)
            for slot, mib in enumerate(held, 1)
        ]
        return machine("xeon", memory={"total_mib": ram_mib}, gpus=fitted)

    taken = [f"0000:{slot:02x}:00.0" for slot, mib in enumerate(held, 1) if mib]
    refused = planned(on(held), qwen35_122b()).refusal
    assert refused is not None and all(pci in refused.reason for pci in taken)
    ended = ["end them (nvidia-smi lists them)"]
    assert refused.cure.split(", or ") == ended + [cure] * (cure is not None)
    assert planned(on((0, 0)), qwen35_122b()).refusal is None
    alone = planned(on(held), qwen35_122b(), ignore_gpus=tuple(taken)).refusal
    assert (alone is None) == (cure is not None), alone


def test_an_option_is_named_where_it_would_be_unclear_which_one_is_meant() -> None:
    wishes: dict[str, Any] = {"server_batch": 256, "server_tensor_split": (1.0, 1.0)}
    made = planned(box(200000, 1), qwen35_122b(), **wishes)
    assert made.refusal is not None
    assert made.refusal.cure.split(", or ") == [
        "lower server_ubatch to 256 and correct server_tensor_split",
        "lower server_ubatch to 256 and leave server_tensor_split unset",
    ]

"""Sentences count in English."""

from __future__ import annotations

from typing import Any

import pytest

from boxwright.plan.wording import be, counted
from tests.unit.plans import PASCAL, gpu, machine, planned, qwen35_122b, refused

ONE = machine("xeon", gpus=[gpu("0000:01:00.0", PASCAL)])


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 cards are"), (1, "1 card is"), (2, "2 cards are")]
)
def test_a_noun_and_its_verb_agree_with_their_number(number: int, said: str) -> None:
    assert f"{counted(number, 'card')} {be(number)}" == said


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"server_tensor_split": (1.0, 1.0)}, "is 1,1, needs 1 share, one for each card"),
        ({"server_n_cpu_moe": 3, "server_placement": "gpu"}, "'gpu' and 1 card is used"),
        ({"server_n_cpu_moe": 4097}, "is 4097, needs 0 to 4096"),
        ({"gpu_count": 2}, "asks for 2 NVIDIA cards, this machine has 1 that"),
        ({"server_context": 1, "server_placement": "gpu"}, "with 1 token of context needs"),
        ({"server_threads": 999}, "this machine has 80 logical CPUs"),
    ],
)
def test_refusals_count_what_they_name(wishes: dict[str, Any], said: str) -> None:
    assert said in refused(planned(ONE, qwen35_122b(), **wishes))

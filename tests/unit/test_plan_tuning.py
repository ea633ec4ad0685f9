"""Numbers for the kernel: those it takes are planned, others refused with what it takes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plans import planned, refused


@pytest.mark.parametrize("value", [0, 1, 100, 200])
def test_swappiness_that_the_kernel_takes(value: int) -> None:
    made = planned("xeon", tuning_swappiness=value).tuning
    assert made is not None and made.sysctl["vm.swappiness"] == str(value)


@pytest.mark.parametrize(
    ("name", "value", "needs"),
    [
        ("tuning_swappiness", 500, "0 to 200"),
        ("tuning_swappiness", 201, "0 to 200"),
        ("tuning_swappiness", -1, "0 to 200"),
        ("tuning_numa_balancing", 2, "0 to 1"),
        ("tuning_numa_balancing", -1, "0 to 1"),
    ],
)
@pytest.mark.parametrize("box", ["xeon", "ryzen"])
def test_a_number_that_it_does_not_take(box: str, name: str, value: int, needs: str) -> None:
    wishes: dict[str, Any] = {name: value}
    sentence = refused(planned(box, **wishes))
    assert sentence.startswith(f"{name} is {value}, needs {needs}")
    assert f"correct {name}, or set it to None to leave the kernel's own" in sentence


def test_numbers_that_are_left_to_the_kernel() -> None:
    made = planned("xeon", tuning_swappiness=None, tuning_numa_balancing=None).tuning
    assert made is not None and made.sysctl == {}

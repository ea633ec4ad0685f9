"""Wishes for a placement that contradict each other, the model or the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import isfinite
from typing import Any

from boxwright.plan.results import Refusal
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import be, counted
from boxwright.shapes import ModelShape

PLACEMENTS = ("auto", "gpu", "cpu-moe", "cpu")


def contradiction(shape: ModelShape, wanted: Wanted, devices: int) -> Refusal | None:
    """A refusal for wishes of which no layout could be made; `devices` cards are used."""
    placement, split = wanted.server_placement, wanted.server_tensor_split
    if placement not in PLACEMENTS:
        return Refusal(
            f"server_placement is {placement!r}, needs one of {', '.join(PLACEMENTS)}",
            "correct server_placement",
        )
    if placement == "gpu" and not devices:
        return Refusal(
            "server_placement is 'gpu', and no NVIDIA card may be used here",
            "set server_placement to auto or cpu",
        )
    if split is not None and not _shares_of(split, devices):
        given = ",".join(f"{share:g}" for share in split)
        return Refusal(
            f"server_tensor_split is {given}, needs {counted(devices, 'share')}, one for each card"
            " that is used",
            "correct server_tensor_split, or leave it unset",
        )
    if wanted.server_n_cpu_moe is not None:
        return _wrong_n_cpu_moe(shape, wanted, devices)
    if placement == "cpu-moe" and not shape.experts and devices:
        return Refusal(
            f"server_placement is 'cpu-moe', and {wanted.model} has no experts",
            "set server_placement to auto",
        )
    return None


def without(shape: ModelShape, wanted: Wanted, devices: int) -> tuple[Wanted, list[str]] | None:
    """The wishes less the fewest that contradict, and how to say so of each; None if others do."""
    free = {"server_tensor_split": None, "server_n_cpu_moe": None, "server_placement": "auto"}
    given = [option for option, value in free.items() if getattr(wanted, option) != value]
    for count in range(1, len(given) + 1):
        for some in combinations(given, count):
            values: dict[str, Any] = {option: free[option] for option in some}
            freed = replace(wanted, **values)
            if contradiction(shape, freed, devices) is None:
                return freed, [
                    f"leave {option} unset" if value is None else f"set {option} to {value}"
                    for option, value in values.items()
                ]
    return None


def _shares_of(split: Sequence[float], devices: int) -> bool:
    finite = all(isfinite(share) and share >= 0 for share in split)
    return len(split) == devices and finite and any(split)


def _wrong_n_cpu_moe(shape: ModelShape, wanted: Wanted, devices: int) -> Refusal | None:
    number, layers = wanted.server_n_cpu_moe or 0, len(shape.layers)
    if number < 0 or not shape.experts:
        return Refusal(
            f"server_n_cpu_moe is {number}, {wanted.model} has {counted(layers, 'layer')}"
            f" ({counted(shape.experts, 'expert')} in each)",
            "correct server_n_cpu_moe, or leave it unset",
        )
    if wanted.server_placement == "cpu-moe" and number < layers:
        return Refusal(
            f"server_n_cpu_moe is {number} of {counted(layers, 'layer')} while server_placement is"
            " 'cpu-moe', which means all of them",
            "leave one of the two unset",
        )
    if wanted.server_placement in ("cpu", "gpu") or not devices:
        return Refusal(
            f"server_n_cpu_moe is {number} while server_placement is {wanted.server_placement!r}"
            f" and {counted(devices, 'card')} {be(devices)} used",
            f"{'set server_placement to auto, or ' * bool(devices)}leave server_n_cpu_moe unset",
        )
    return None

"""Wishes for a placement that contradict each other, the model or the machine."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from boxwright.plan.cures import Curable, corrected, option
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import be, counted
from boxwright.shapes import ModelShape

PLACEMENTS = ("auto", "gpu", "cpu-moe", "cpu")


def contradiction(shape: ModelShape, wanted: Wanted, devices: int) -> Curable | None:
    """A refusal for wishes of which no layout could be made; `devices` cards are used."""
    placement, split = wanted.server_placement, wanted.server_tensor_split
    if placement not in PLACEMENTS:
        return corrected(
            "server_placement",
            f"server_placement is {placement!r}, needs one of {', '.join(PLACEMENTS)}",
        )
    if placement == "gpu" and not devices:
        return Curable(
            "server_placement is 'gpu', and no NVIDIA card may be used here",
            "set server_placement to auto or cpu",
            (option("server_placement"),),
        )
    if split is not None and not _shares_of(split, devices):
        given = ",".join(f"{share:g}" for share in split)
        return corrected(
            "server_tensor_split",
            f"server_tensor_split is {given}, needs {counted(devices, 'share')}, one for each card"
            " that is used",
        )
    if wanted.server_n_cpu_moe is not None:
        return _wrong_n_cpu_moe(shape, wanted, devices)
    if placement == "cpu-moe" and not shape.experts and devices:
        auto = option("server_placement")
        return Curable(
            f"server_placement is 'cpu-moe', and {wanted.model} has no experts", auto.said, (auto,)
        )
    return None


def _shares_of(split: Sequence[float], devices: int) -> bool:
    finite = all(isfinite(share) and share >= 0 for share in split)
    return len(split) == devices and finite and any(split)


def _wrong_n_cpu_moe(shape: ModelShape, wanted: Wanted, devices: int) -> Curable | None:
    number, layers = wanted.server_n_cpu_moe or 0, len(shape.layers)
    unset, auto = option("server_n_cpu_moe"), option("server_placement")
    if number < 0 or not shape.experts:
        return corrected(
            "server_n_cpu_moe",
            f"server_n_cpu_moe is {number}, {wanted.model} has {counted(layers, 'layer')}"
            f" ({counted(shape.experts, 'expert')} in each)",
        )
    if wanted.server_placement == "cpu-moe" and number < layers:
        return Curable(
            f"server_n_cpu_moe is {number} of {counted(layers, 'layer')} while server_placement is"
            " 'cpu-moe', which means all of them",
            f"{unset.said}, or {auto.said}",
            (unset, auto),
        )
    if wanted.server_placement in ("cpu", "gpu") or not devices:
        # without a card only one of the two can go
        cures = (auto, unset) if devices else (unset,)
        return Curable(
            f"server_n_cpu_moe is {number} while server_placement is {wanted.server_placement!r}"
            f" and {counted(devices, 'card')} {be(devices)} used",
            ", or ".join(cure.said for cure in cures),
            cures,
        )
    return None

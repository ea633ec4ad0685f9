"""Prints how far the planner's speeds are from published ones: `python -m benchmarks.speed`.

Per point the error of the packaged constants, of constants that were calibrated without the point,
and of constants that were calibrated without anything of its source.
"""

from __future__ import annotations

from statistics import median

from benchmarks.calibration import Fit, fit_of
from benchmarks.other_points import depths, prefills
from benchmarks.points import points
from boxwright import catalog
from boxwright.catalog import SpeedConstants


def main() -> None:
    """Print the tables, and what a calibration over all points would set."""
    constants, fit = catalog.load().speed, fit_of(catalog.load().speed, points())
    _decode(constants, fit)
    _depth(constants)
    _prefill(constants)
    print("\n| constant | prior | calibrated | packaged |\n|---|--:|--:|--:|")
    for one, value in zip(fit.fitted, fit.values(), strict=True):
        print(f"| {one.name} | {one.prior:g} | {value:.3g} | {one.get(constants):.3g} |")


def _decode(constants: SpeedConstants, fit: Fit) -> None:
    columns = {
        "packaged constants": [point.error(constants) for point in fit.points],
        "leave-one-out": fit.errors_left_out(),
        "leave-source-out": fit.errors_by_source(),
    }
    print(f"| point | measured tok/s | expected | {' | '.join(columns)} |")
    print("|---|--:|--:|--:|--:|--:|")
    for number, point in enumerate(fit.points):
        errors = " | ".join(f"{found[number]:+.0%}" for found in columns.values())
        print(
            f"| {point.label} | {point.tok_s:g} | {1 / point.seconds(constants):.1f} | {errors} |"
        )
    for name, found in columns.items():
        _sum(name, found)


def _depth(constants: SpeedConstants) -> None:
    print("\n| at depth | tokens | measured tok/s | expected | error |\n|---|--:|--:|--:|--:|")
    found = []
    for one in depths():
        expected = one.expected_tok_s(constants)
        found.append(expected / one.tok_s - 1)
        label = f"{one.point.label}, {one.cache_type}"
        print(f"| {label} | {one.tokens} | {one.tok_s:g} | {expected:.1f} | {found[-1]:+.0%} |")
    _sum("at depth", found)


def _prefill(constants: SpeedConstants) -> None:
    print("\n| prefill | ubatch | measured tok/s | low | expected | high | error |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    found = []
    for one in prefills():
        low, expected, high = one.expected_tok_s(constants)
        found.append(expected / one.point.tok_s - 1)
        print(
            f"| {one.point.label} | {one.ubatch} | {one.point.tok_s:g} |"
            f" {low:.0f} | {expected:.0f} | {high:.0f} | {found[-1]:+.0%} |"
        )
    _sum("prefill", found)


def _sum(name: str, errors: list[float]) -> None:
    sizes = [abs(error) for error in errors]
    print(f"\n{name}: median {median(sizes):.1%}, worst {max(sizes):.1%}, {len(sizes)} points")


if __name__ == "__main__":
    main()

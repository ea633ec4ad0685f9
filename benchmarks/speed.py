"""Prints how far the planner's speeds are from published ones: `python -m benchmarks.speed`.

Per point the error of the packaged constants, and that of constants calibrated without the point.
"""

from __future__ import annotations

from statistics import median

from benchmarks.calibration import fit_of
from benchmarks.points import points
from boxwright import catalog


def main() -> None:
    """Print the table, and what a calibration over all points would set."""
    constants, every = catalog.load().speed, points()
    fit = fit_of(constants, every)
    print("| point | measured tok/s | expected | error | left out |")
    print("|---|--:|--:|--:|--:|")
    packaged, left_out = [], []
    for number, point in enumerate(every):
        packaged.append(point.error(constants))
        left_out.append(fit.error(number, fit.values(without=number)))
        print(
            f"| {point.label} | {point.tok_s:g} | {1 / point.seconds(constants):.1f} |"
            f" {packaged[-1]:+.0%} | {left_out[-1]:+.0%} |"
        )
    for name, errors in (("packaged constants", packaged), ("leave-one-out", left_out)):
        sizes = [abs(error) for error in errors]
        print(f"\n{name}: median {median(sizes):.1%}, worst {max(sizes):.1%}, {len(sizes)} points")
    print("\n| constant | prior | calibrated | packaged |\n|---|--:|--:|--:|")
    for one, value in zip(fit.fitted, fit.values(), strict=True):
        print(f"| {one.name} | {one.prior:g} | {value:.3g} | {one.get(constants):.3g} |")


if __name__ == "__main__":
    main()

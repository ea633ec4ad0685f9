"""Prints how far the planner's speeds are from published ones: `python -m benchmarks.speed`.

Per point the error of the packaged constants, of constants that were calibrated without the point,
and of constants that were calibrated without anything of its source.
"""

from __future__ import annotations

from statistics import median

from benchmarks.calibration import fit_of
from benchmarks.points import depths, points
from boxwright import catalog


def main() -> None:
    """Print the table, and what a calibration over all points would set."""
    constants, every = catalog.load().speed, points()
    fit = fit_of(constants, every)
    columns = {
        "packaged constants": [point.error(constants) for point in every],
        "leave-one-out": fit.errors_left_out(),
        "leave-source-out": fit.errors_by_source(),
    }
    print(f"| point | measured tok/s | expected | {' | '.join(columns)} |")
    print("|---|--:|--:|--:|--:|--:|")
    for number, point in enumerate(every):
        errors = " | ".join(f"{found[number]:+.0%}" for found in columns.values())
        print(
            f"| {point.label} | {point.tok_s:g} | {1 / point.seconds(constants):.1f} | {errors} |"
        )
    for name, found in columns.items():
        sizes = [abs(error) for error in found]
        print(f"\n{name}: median {median(sizes):.1%}, worst {max(sizes):.1%}, {len(sizes)} points")
    print("\n| at depth | tokens | measured tok/s | expected | error |\n|---|--:|--:|--:|--:|")
    for deep in depths():
        expected = deep.expected_tok_s(constants)
        print(
            f"| {deep.point.label}, {deep.cache_type} | {deep.tokens} | {deep.tok_s:g} |"
            f" {expected:.1f} | {expected / deep.tok_s - 1:+.0%} |"
        )
    print("\n| constant | prior | calibrated | packaged |\n|---|--:|--:|--:|")
    for one, value in zip(fit.fitted, fit.values(), strict=True):
        print(f"| {one.name} | {one.prior:g} | {value:.3g} | {one.get(constants):.3g} |")


if __name__ == "__main__":
    main()

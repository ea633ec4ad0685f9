"""Fits the constants of the speed prediction to published speeds, held near what physics expects.

Every constant starts at a prior that comes from no speed of llama.cpp; the fit minimises squared
relative errors plus squared distances from the priors, both in logarithms and each in units of its
spread. So a constant with one point moves a little, and many points set theirs. The article's
figures take no part.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.constants import Constant, constants_of
from benchmarks.points import Point
from boxwright.catalog import SpeedConstants

SPREAD_OF_POINTS = 0.10  # two people's figures for one machine differ by about that
ROUNDS = 6


@dataclass(frozen=True)
class Fit:
    """The points as linear terms of the constants: made once, fitted to any part of them."""

    start: SpeedConstants
    fitted: tuple[Constant, ...]
    points: tuple[Point, ...]
    base: tuple[float, ...]
    slopes: tuple[tuple[float, ...], ...]

    def seconds(self, point: int, values: Sequence[float]) -> float:
        """Seconds per token of a point with these values of the constants."""
        return self.base[point] + sum(
            slope * constant.term(value)
            for slope, constant, value in zip(self.slopes[point], self.fitted, values, strict=True)
        )

    def values(self, without: Collection[int] = ()) -> list[float]:
        """The fitted values; some points may be left out, the article's always are."""
        counted = [
            number
            for number, point in enumerate(self.points)
            if number not in without and not point.article
        ]
        found = [constant.prior for constant in self.fitted]
        for _ in range(ROUNDS):
            found = _improved(self, found, counted)
        return found

    def errors_left_out(self) -> list[float]:
        """Of every point with constants that were fitted without it."""
        return [self.error(n, self.values(without=(n,))) for n in range(len(self.points))]

    def errors_by_source(self) -> list[float]:
        """Of every point with constants that were fitted without all points of its source."""
        found = [0.0] * len(self.points)
        for source in {point.source for point in self.points}:
            numbers = [n for n, point in enumerate(self.points) if point.source == source]
            values = self.values(without=numbers)
            for number in numbers:
                found[number] = self.error(number, values)
        return found

    def error(self, point: int, values: Sequence[float]) -> float:
        """How far the expected tok/s are from the measured: 0.1 is 10 % too fast."""
        return 1 / self.seconds(point, values) / self.points[point].tok_s - 1


def fit_of(start: SpeedConstants, points: Sequence[Point]) -> Fit:
    """Reads the linear terms off the planner itself, by moving one constant at a time."""
    fitted = tuple(constants_of(start))
    center = start
    for constant in fitted:
        center = constant.put(center, constant.prior)
    moved = [constant.put(center, constant.prior * 0.9) for constant in fitted]
    base, slopes = [], []
    for point in points:
        seconds = point.seconds(center)
        row = [
            (point.seconds(other) - seconds)
            / (constant.term(constant.prior * 0.9) - constant.term(constant.prior))
            for constant, other in zip(fitted, moved, strict=True)
        ]
        slopes.append(tuple(row))
        base.append(seconds - sum(s * c.term(c.prior) for s, c in zip(row, fitted, strict=True)))
    return Fit(start, fitted, tuple(points), tuple(base), tuple(slopes))


def _improved(fit: Fit, values: Sequence[float], counted: Sequence[int]) -> list[float]:
    """One step of Gauss and Newton in logarithms."""
    size = len(values)
    matrix = [[0.0] * size for _ in range(size)]
    right = [0.0] * size
    for i, (constant, value) in enumerate(zip(fit.fitted, values, strict=True)):
        pull = constant.spread**-2
        matrix[i][i] += pull
        right[i] -= pull * math.log(value / constant.prior)
    weight = SPREAD_OF_POINTS**-2
    for number in counted:
        seconds = fit.seconds(number, values)
        error = math.log(seconds * fit.points[number].tok_s)
        slope = [
            term * constant.term(value) * (-1 if constant.is_share else 1) / seconds
            for term, constant, value in zip(fit.slopes[number], fit.fitted, values, strict=True)
        ]
        touched = [i for i, one in enumerate(slope) if one]
        for i in touched:
            right[i] -= weight * slope[i] * error
            for j in touched:
                matrix[i][j] += weight * slope[i] * slope[j]
    steps = _solved(matrix, right)
    return [
        min(value * math.exp(step), 1.0 if constant.is_share else math.inf)
        for value, step, constant in zip(values, steps, fit.fitted, strict=True)
    ]


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss's elimination; the matrix is positive definite thanks to the priors."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for column in range(size):
        pivot = rows[column][column]
        for below in rows[column + 1 :]:
            factor = below[column] / pivot
            if factor:
                for index in range(column, size + 1):
                    below[index] -= factor * rows[column][index]
    found = [0.0] * size
    for column in reversed(range(size)):
        rest = sum(rows[column][i] * found[i] for i in range(column + 1, size))
        found[column] = (rows[column][size] - rest) / rows[column][column]
    return found

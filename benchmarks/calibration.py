"""Fits the constants of the speed prediction to published speeds, held near what physics expects.

Every constant starts at a prior that comes from no speed of llama.cpp; the fit minimises squared
relative errors plus squared distances from the priors, both in logarithms and each in units of its
spread. So a constant with one point moves a little, and many points set theirs. The article's
figures take no part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.points import Point
from boxwright.catalog import GpuRow, HostMemoryRow, SpeedConstants

SPREAD_OF_POINTS = 0.10  # two people's figures for one machine differ by about that
ROUNDS = 6


@dataclass(frozen=True)
class Constant:
    """One number of the constants, and what physics expects of it.

    A share divides seconds, so they are linear in its reciprocal; µs are added as they are.
    """

    name: str
    prior: float
    spread: float
    is_share: bool
    get: Callable[[SpeedConstants], float]
    put: Callable[[SpeedConstants, float], SpeedConstants]

    def term(self, value: float) -> float:
        """What seconds per token are linear in."""
        return 1 / value if self.is_share else value


def constants_of(start: SpeedConstants) -> list[Constant]:
    """What is fitted: share and routing of each generation of GPUs, shares of host memory."""
    found = []
    for name, row in start.gpus.items():
        # copies and matrix products stream about three quarters of a card's bandwidth
        found.append(_of_gpu(name, "share", 0.75, 0.15))
        # ten to fourteen kernels at 3 to 4 µs from a graph; without graphs each costs a launch too
        found.append(_of_gpu(name, "experts_us", 40 if row.graphs else 250, 0.35))
        # some ten kernels; where they are launched one by one, most launches hide behind products
        found.append(_of_gpu(name, "attention_us", 25 if row.graphs else 50, 0.35))
    # read tests reach 80 to 94 % with up to four channels (62 to 63 of 68 GB/s on E5 v3 and v4,
    # McCalpin; dual DDR4 of 2133 to 3600 in guru3d's reviews); servers' with more about two thirds
    # (66 % on two EPYC 7452, ktransformers pull 2175)
    found.append(_of_host("up to 4 channels", lambda row: row.channels_to is not None, 0.88))
    found.append(_of_host("more channels", _is_server, 0.66))
    # two short copies and their waits; the barriers of the processor's threads are apart
    found.append(
        Constant(
            "crossing_us",
            20,
            0.35,
            False,
            lambda constants: constants.crossing_us,
            lambda constants, value: replace(constants, crossing_us=value),
        )
    )
    # of read tests over the link, as of those of a socket's own channels
    found.append(
        Constant(
            "link_share",
            0.90,
            0.12,
            True,
            lambda constants: constants.link_share,
            lambda constants, value: replace(constants, link_share=value),
        )
    )
    return found


def _is_server(row: HostMemoryRow) -> bool:
    """DDR5's has no point; see catalog/speed.yaml."""
    return row.channels_to is None and row.memory != "DDR5"


def _of_gpu(generation: str, field: str, prior: float, spread: float) -> Constant:
    is_share = field == "share"

    def put(constants: SpeedConstants, value: float) -> SpeedConstants:
        row: GpuRow = replace(constants.gpus[generation], **{field: value})  # type: ignore[arg-type]
        return replace(constants, gpus={**constants.gpus, generation: row})

    def get(constants: SpeedConstants) -> float:
        return float(getattr(constants.gpus[generation], field))

    return Constant(f"{generation}: {field}", prior, spread, is_share, get, put)


def _of_host(name: str, which: Callable[[HostMemoryRow], bool], prior: float) -> Constant:
    """One share for the memory generations: the points show no difference between them."""

    def put(constants: SpeedConstants, value: float) -> SpeedConstants:
        rows = (replace(row, share=value) if which(row) else row for row in constants.host)
        return replace(constants, host=tuple(rows))

    def get(constants: SpeedConstants) -> float:
        return next(row.share for row in constants.host if which(row))

    return Constant(name, prior, 0.12, True, get, put)


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

    def values(self, without: int | None = None) -> list[float]:
        """The fitted values; one point may be left out, the article's always are."""
        counted = [
            number
            for number, point in enumerate(self.points)
            if number != without and not point.article
        ]
        found = [constant.prior for constant in self.fitted]
        for _ in range(ROUNDS):
            found = _improved(self, found, counted)
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

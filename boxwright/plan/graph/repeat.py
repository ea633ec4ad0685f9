"""Which of a model's layers have to be built: a run that repeats is told by its first ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

LONGEST_PERIOD = 8  # of layers that alternate: Gemma's six are the longest that are usual
LATER = 2  # what the first layer begins ends in the second one's section


class Kept(NamedTuple):
    """The `layers` that are built; `stands` tells for each layer of the model which of those stands
    for it, `periods` for each of those after how many layers its run repeats."""

    layers: list[int]
    stands: list[int]
    periods: list[int]


def kept_layers(kinds: Sequence[Hashable]) -> Kept:
    """The layers to build; the last one always is by itself, since the output follows."""
    made = Kept([], [], [])
    before_last, index = kinds[:-1], 0
    while index < len(kinds):
        run = _longest_run(before_last, index)
        first = len(made.layers)
        made.layers.extend(index + number for number in run.built)
        made.periods.extend([run.period] * len(run.built))
        made.stands.extend(first + run.stand(number) for number in range(run.length))
        index += run.length
    return made


class _Run(NamedTuple):
    """Layers that repeat. The first period is built, which follows something else; the second one,
    which stands for all others and begins some layers later, since a section ends what the layer
    before began; and what is left of a period at the end, so that all have their neighbours."""

    period: int
    length: int

    @property
    def _whole(self) -> int:
        return 2 * self.period + LATER

    @property
    def _left(self) -> int:
        return max(self.length - self._whole, 0) % self.period

    @property
    def built(self) -> list[int]:
        start = min(self._whole, self.length)
        return [*range(start), *range(self.length - self._left, self.length)]

    @property
    def spared(self) -> int:
        return self.length - len(self.built)

    def stand(self, number: int) -> int:
        """Which of those that are built stands for a layer."""
        second = self.period + LATER
        if number < second:
            return number
        if number >= self.length - self._left:
            return number - self.spared
        return second + (number - second) % self.period


def _longest_run(kinds: Sequence[Hashable], index: int) -> _Run:
    """The run from here on that spares the most layers."""
    best = _Run(1, 1)
    for period in range(1, LONGEST_PERIOD + 1):
        end = index + period
        while end < len(kinds) and kinds[end] == kinds[end - period]:
            end += 1
        run = _Run(period, end - index)
        if run.spared > best.spared:
            best = run
    return best

"""The largest number that does, of those below which all do too."""

from __future__ import annotations

from collections.abc import Callable


def largest(low: int, high: int, does: Callable[[int], bool]) -> int:
    """The largest up to `high` that does; `low`, which is not asked, if none above it does."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if does(middle) else (low, middle - 1)
    return low

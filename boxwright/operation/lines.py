"""Facts whose answer is what a command printed: its lines, without those that are empty."""

from __future__ import annotations

from pyinfra.api import FactBase


class Lines(FactBase[tuple[str, ...]]):
    """The base of such facts; each has a command of its own."""

    @staticmethod
    def default() -> tuple[str, ...]:
        """Nothing is said."""
        return ()

    def process(self, output: list[str]) -> tuple[str, ...]:
        """The lines as they come."""
        return tuple(line.strip() for line in output if line.strip())

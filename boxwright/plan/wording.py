"""How sentences count: one card, two cards."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun, which takes a plain s for any number but one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def be(number: int) -> str:
    """The verb that agrees with a number of things."""
    return "is" if number == 1 else "are"

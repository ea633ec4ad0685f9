"""Refusals for several reasons at once: a cure that only leads to the next of them is none."""

from __future__ import annotations

import re
from collections.abc import Callable

from boxwright.plan.cures import Curable, Cure
from boxwright.plan.results import Refusal

OR = ", or "  # between cures of which each is enough
OPTION = re.compile(r"[a-z]+_\w+")


def both(first: Refusal | None, second: Refusal | None) -> Refusal | None:
    """One refusal for both, whose every cure cures both; the one that is there, or None."""
    if first is None or second is None:
        return first or second
    also = second.cure.split(OR)[0]
    cures = [_done_too(cure, also) for cure in _each(first)]
    return _joined(first, second, cures)


def told(refusal: Curable, after: Callable[[Cure], Refusal | None]) -> Refusal:
    """The refusal with the cures that are accepted; where none is, with what the first lacks.

    `after` plans anew with one cure done.
    """
    further = [after(cure) for cure in refusal.cures]
    enough = [cure.said for cure, one in zip(refusal.cures, further, strict=True) if one is None]
    if len(enough) == len(further):
        return Refusal(refusal.reason, refusal.cure)
    if enough:
        return Refusal(refusal.reason, OR.join(enough))
    first, lacking = refusal.cures[0], further[0]
    assert lacking is not None
    cures = [_done_too(first.said, one) for one in _each(lacking)]
    return _joined(refusal, lacking, cures)


def _each(refusal: Refusal) -> list[str]:
    """Its cures; those of "it" name the option that the first of them names."""
    first, *others = refusal.cure.split(OR)
    named = OPTION.search(first)
    it = named[0] if named else "it"
    return [first, *(one.replace("leave it unset", f"leave {it} unset") for one in others)]


def _done_too(cure: str, also: str) -> str:
    """Both cures; only the second where it is for the same option, whose last value counts."""
    options = set(OPTION.findall(cure))
    return also if options and options <= set(OPTION.findall(also)) else f"{cure} and {also}"


def _joined(first: Refusal, second: Refusal, cures: list[str]) -> Refusal:
    return Refusal(f"{first.reason}; also, {second.reason}", OR.join(dict.fromkeys(cures)))

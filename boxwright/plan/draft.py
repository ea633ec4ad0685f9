"""A plan in the making."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from boxwright.plan import several
from boxwright.plan.cures import Curable
from boxwright.plan.results import Plan, Refusal

T = TypeVar("T")


class Draft:
    """A plan in the making: parts are added, and refusals are told together.

    `curable` is the first refusal that hides others.
    """

    def __init__(self) -> None:
        self.plan = Plan()
        self.curable: Curable | None = None

    def take(self, name: str, part: T | Refusal) -> T | None:
        """Keep a part that was decided; a refusal is noted and gives None."""
        if isinstance(part, Refusal):
            self.refuse(part)
            return None
        parts: dict[str, Any] = {name: part}
        self.plan = replace(self.plan, **parts)
        return part

    def refuse(self, refusal: Refusal | None) -> None:
        """Note a refusal, if it is one, beside those that were noted."""
        if self.curable is None and isinstance(refusal, Curable):
            self.curable = refusal
        self.plan = replace(self.plan, refusal=several.both(self.plan.refusal, refusal))

    def warn(self, *sentences: str) -> None:
        """Add warnings."""
        self.plan = replace(self.plan, warnings=(*self.plan.warnings, *sentences))

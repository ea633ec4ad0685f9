"""A plan in the making."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from boxwright.plan.results import Plan, Refusal

T = TypeVar("T")


class Draft:
    """A plan in the making: parts are added, and the first refusal is kept."""

    def __init__(self) -> None:
        self.plan = Plan()

    def take(self, name: str, part: T | Refusal) -> T | None:
        """Keep a part that was decided; a refusal is noted and gives None."""
        if isinstance(part, Refusal):
            self.refuse(part)
            return None
        parts: dict[str, Any] = {name: part}
        self.plan = replace(self.plan, **parts)
        return part

    def refuse(self, refusal: Refusal | None) -> None:
        """Note a refusal, if it is one and the first."""
        if refusal is not None and self.plan.refusal is None:
            self.plan = replace(self.plan, refusal=refusal)

    def warn(self, *sentences: str) -> None:
        """Add warnings."""
        self.plan = replace(self.plan, warnings=(*self.plan.warnings, *sentences))

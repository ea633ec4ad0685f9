"""What a verb answers with, and the one place where it becomes text or JSON and an exit code."""

from __future__ import annotations

import json
import sys
from typing import Any, NoReturn, Protocol

import click
from rich.console import Console, RenderableType

DONE, FAILED, MISUSED, REFUSED = 0, 1, 2, 3
PIPE_COLUMNS = 132  # where no terminal tells its width


class Outcome(Protocol):
    """The answer of a verb: plain data, a picture of it, and how it went."""

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 2 not understood, 3 refused."""

    def document(self) -> dict[str, Any] | list[Any]:
        """The answer in plain JSON types."""

    def picture(self) -> RenderableType:
        """The answer as a person reads it."""


class Sentence(click.ClickException):
    """One sentence on standard error, and the exit code that goes with it."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance too


def show(outcome: Outcome, as_json: bool) -> NoReturn:
    """Print the outcome to standard output and end the process with its exit code."""
    if as_json:
        click.echo(json.dumps(outcome.document(), indent=2))
    else:
        width = None if sys.stdout.isatty() else PIPE_COLUMNS
        Console(width=width).print(outcome.picture())
    sys.exit(outcome.exit_code)

"""What a verb answers with, and the one place where it becomes text or JSON and an exit code."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from typing import Any, NoReturn, Protocol

import click
from rich.console import Console, RenderableType

DONE, FAILED, MISUSED, REFUSED = 0, 1, 2, 3
PIPE_COLUMNS = 132  # where neither a terminal nor COLUMNS tells the width
# for an output that is not Unicode; rich draws its own frames plainly there
PLAIN = {
    "█": "#", "▓": "=", "▒": "%", "░": ":", "▚": "c", "▞": "k", "·": ".", "→": "->",
}  # fmt: skip


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
        known = sys.stdout.isatty() or "COLUMNS" in os.environ
        codecs.register_error("plain", _plain)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="plain")
        Console(width=None if known else PIPE_COLUMNS).print(outcome.picture())
    sys.exit(outcome.exit_code)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for signs that an output cannot show: a codec's error handler."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign, "?") for sign in missing), error.end

"""How a fact's shell script is sent to a host, and how its answer is read back."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from urllib.parse import unquote_to_bytes


@cache
def source(name: str) -> str:
    """A shell or awk script of this package without its comments and indentation.

    sudo writes the whole command into a host's log each time, so it is kept short.
    """
    text = (files("boxwright.facts") / name).read_text(encoding="utf-8")
    lines = (line.strip(" ") for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def script(*names: str, **variables: str | int) -> str:
    """The named scripts one after the other, behind assignments of the given shell variables."""
    head = [f"{name}={shlex.quote(str(value))}" for name, value in variables.items()]
    return "\n".join([*head, *(source(name) for name in names)])


def decoded(line: str) -> str:
    """A line as it was before `encode.sh`; bytes that are no UTF-8 become U+FFFD."""
    return unquote_to_bytes(line).decode("utf-8", "replace")


def tagged(output: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The lines `tag<TAB>field<TAB>…` that a script wrote through `encode.sh`.

    Lines without a tab are left out: a login shell's own chatter comes before the answer.
    """
    for line in output:
        tag, tab, rest = line.partition("\t")
        if tab:
            yield tag, [decoded(field) for field in rest.split("\t")]

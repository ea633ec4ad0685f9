"""Facts that every plan rests on, kept while nothing is sent to the host, and for seconds at most.

Each operation plans anew from the facts of its moment. Where no command was sent in between, that
moment is the same: a converged run then probes a host a few times instead of a hundred times.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

from pyinfra.api import FactBase
from pyinfra.context import host

T = TypeVar("T")

KEPT_S = 15.0  # what others change on the host is seen after this at the latest

_answers: dict[str, dict[tuple[Any, ...], tuple[float, Any]]] = {}


def recently(fact: type[FactBase[T]], **arguments: str) -> T:
    """The fact's answer, asked now unless it was just asked and nothing was sent since."""
    known = _answers.setdefault(host.name, {})
    key = (fact, *sorted(arguments.items()))
    now_s = time.monotonic()
    if key in known and now_s - known[key][0] < KEPT_S:
        kept: T = known[key][1]
        return kept
    answer = host.get_fact(fact, **arguments)
    known[key] = (now_s, answer)
    return answer


def forget(name: str) -> None:
    """Ask anew next time: something is about to be sent to the host of this name."""
    _answers.pop(name, None)

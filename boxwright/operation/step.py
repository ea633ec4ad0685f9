"""The decorator every operation of a role carries, and how one host is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from functools import wraps
from typing import ParamSpec

from pyinfra import logger
from pyinfra.api import FunctionCommand, QuoteString, StringCommand
from pyinfra.api import operation as pyinfra_operation
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import PyinfraOperation
from pyinfra.context import host

from boxwright.operation.lock import take_lock
from boxwright.operation.recent import forget
from boxwright.plan.results import Refusal

P = ParamSpec("P")
Commands = Generator[PyinfraCommand, None, None]

REFUSAL_MARK = "boxwright refuses:"
USER_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


class RefusalCommand(StringCommand):
    """A command that prints why and fails; it changes nothing, so it takes no lock."""


def shown(text: str) -> str:
    """A text for people and logs: without the names and passwords that a URL in it may carry."""
    return USER_IN_URL.sub("…", text)


def refuse(refusal: Refusal) -> Commands:
    """Fail this host alone with one sentence; an exception would end the run for every host.

    See reference/pyinfra.md, section 5 and pitfall 2.
    """
    text = f"{REFUSAL_MARK} {shown(refusal.sentence())}"
    # without sudo, so that it can be said where sudo is what is missing
    yield RefusalCommand("echo", QuoteString(text), ">&2;", "exit", "1", _sudo=False)


def attempt(command: StringCommand, refusal: Refusal) -> StringCommand:
    """A command that changes something, and the sentence its failure ends this host with."""
    text = f"{REFUSAL_MARK} {shown(refusal.sentence())}"
    return StringCommand(command, "||", "{", "echo", QuoteString(text), ">&2;", "exit", "1;", "}")


def noop(why: str) -> None:
    """Say why nothing is to be done."""
    host.noop(why)


def _guarded(body: Generator[PyinfraCommand | str, None, None], label: str) -> Commands:
    """The body's commands, with the host lock before the first that changes anything.

    An exception in a body would end the run for all hosts, so here it becomes the failure of
    this host, with the traceback in pyinfra's debug log.
    """
    locked = False
    try:
        for command in body:
            forget(host.name)
            made = StringCommand(command.strip()) if isinstance(command, str) else command
            if not locked and not isinstance(made, RefusalCommand):
                locked = True
                yield FunctionCommand(take_lock, (), {})
            yield made
    except Exception as error:
        logger.debug("operation %s failed", label, exc_info=True)
        reason = f"{label} could not be worked out: {type(error).__name__}: {error}"
        yield from refuse(Refusal(reason, "run again with --debug and report the traceback"))


def operation(
    body: Callable[P, Generator[PyinfraCommand | str, None, None]],
) -> PyinfraOperation[P]:
    """Make a generator of commands an operation of ours.

    What it adds to pyinfra's own decorator: the host lock is taken with the first command that is
    really sent (a converged host takes none), what was known of the host is forgotten with each
    command, and no exception leaves the body.
    """

    @wraps(body)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Commands:
        yield from _guarded(body(*args, **kwargs), f"{body.__module__}.{body.__name__}")

    return pyinfra_operation()(guarded)

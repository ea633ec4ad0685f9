"""Each question is asked once per run: hosts that ask it again wait for, or share, the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TypeVar, cast

from boxwright.supply.results import Failure, SupplyError

T = TypeVar("T")

logger = logging.getLogger(__name__)

_answers: dict[Hashable, Future[object]] = {}


def once(key: Hashable, ask: Callable[[], T]) -> T | Failure:
    """The answer to `ask`, from this process's memory where the key was asked before.

    The first caller asks, others (threads or greenlets) wait for its answer; failures are
    remembered too. Never raises but when the process is being ended.
    """
    mine: Future[object] = Future()
    shared = _answers.setdefault(key, mine)
    if shared is mine:
        try:
            mine.set_result(_asked(ask))
        except BaseException:  # an interrupt: whoever waits must not wait for ever
            _answers.pop(key, None)
            mine.set_result(Failure("the question was interrupted", "run again"))
            raise
    return cast("T | Failure", shared.result())


def forget() -> None:
    """Drop all answers, so that the network is asked again."""
    _answers.clear()


def _asked(ask: Callable[[], T]) -> T | Failure:
    try:
        return ask()
    except SupplyError as error:
        return error.failure
    except Exception as error:
        logger.debug("supply failed", exc_info=True)
        return Failure(
            f"an answer could not be worked out: {type(error).__name__}: {error}",
            "run again with --debug and report the traceback",
        )

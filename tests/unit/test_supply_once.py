"""One question is asked once: threads and greenlets share the answer, failures too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from boxwright.supply.once import forget, once
from boxwright.supply.results import Failure, SupplyError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def test_threads_that_ask_at_once_share_one_answer() -> None:
    asked: list[int] = []
    answers: list[object] = []

    def ask() -> object:
        asked.append(1)
        time.sleep(0.1)
        return object()

    threads = [threading.Thread(target=lambda: answers.append(once("key", ask))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(asked) == 1
    assert len(answers) == 8
    assert len({id(answer) for answer in answers}) == 1


def test_other_questions_get_other_answers() -> None:
    assert once("a", lambda: 1) == 1
    assert once("b", lambda: 2) == 2
    assert once("a", lambda: 3) == 1
    forget()
    assert once("a", lambda: 3) == 3


def test_failures_are_remembered_too() -> None:
    calls: list[int] = []

    def ask() -> int:
        calls.append(1)
        raise SupplyError("found 1, needs 2", "add one")

    assert once("key", ask) == Failure("found 1, needs 2", "add one")
    assert once("key", ask) == Failure("found 1, needs 2", "add one")
    assert len(calls) == 1


def test_a_fault_of_ours_is_a_failure_and_no_exception() -> None:
    answer = once("key", lambda: 1 // 0)
    assert isinstance(answer, Failure)
    assert "ZeroDivisionError" in answer.reason


def test_an_interrupt_goes_on_and_leaves_nobody_waiting() -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once("key", interrupted)
    assert once("key", lambda: 5) == 5

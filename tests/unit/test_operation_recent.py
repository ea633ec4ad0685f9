"""Facts that plans share: asked once while nothing is sent, anew after every command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyinfra.api import FactBase, StringCommand

from boxwright.operation import operation, recent
from boxwright.operation.recent import recently
from tests.unit.role_host import RoleHost


class Weather(FactBase[str]):
    """Any fact."""

    def command(self, place: str) -> str:
        return f"echo {place}"


class Told:
    """A host that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.host = RoleHost(facts={Weather: self.answer})

    def answer(self, place: str) -> str:
        self.asked.append(place)
        return f"{place} {len(self.asked)}"


def body(*steps: str) -> object:
    """An operation of ours that asks ("?place") and sends ("!") in this order."""

    def made() -> Iterator[StringCommand]:
        for step in steps:
            if step == "!":
                yield StringCommand("true")
            else:
                recently(Weather, place=step[1:])

    return operation(made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        (("?a", "?a", "?a"), ["a"]),
        (("?a", "?b", "?a"), ["a", "b"]),
        (("?a", "!", "?a", "?a"), ["a", "a"]),
        (("!", "?a", "!", "?a", "!"), ["a", "a"]),
    ],
)
def test_a_fact_is_asked_anew_only_after_a_command(
    steps: tuple[str, ...], asked: list[str]
) -> None:
    told = Told()
    told.host.run(body(*steps))
    assert told.asked == asked


def test_another_host_has_answers_of_its_own() -> None:
    one, other = Told(), Told()
    other.host.name = "other"
    one.host.run(body("?a"))
    other.host.run(body("?a"))
    assert (one.asked, other.asked) == (["a"], ["a"])


def test_an_answer_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "KEPT_S", 0.0)
    told = Told()
    told.host.run(body("?a", "?a"))
    assert told.asked == ["a", "a"]

"""Planning from reports alone: what is said where the Hub does not answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from boxwright import supply
from boxwright.cli import source
from boxwright.cli.outcome import Sentence
from boxwright.plan import ModelChoice, Wanted
from tests.unit.plans import machine

AWAY = supply.Failure("the Hub could not be reached", "check the network")


@pytest.fixture(autouse=True)
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source.supply, "model_from_hub", lambda *_: AWAY)


@pytest.mark.parametrize("model", ["qwen3.5-122b-a10b", "minimax-m2.7", "deepseek-v4-flash"])
def test_the_article_s_models_are_planned_from_the_catalog_and_that_is_said(model: str) -> None:
    made = source.plan_named(machine("ryzen"), Wanted(model=model, server_placement="cpu-moe"))
    assert made.refusal is None and made.memory is not None and made.speed is not None
    (note,) = [said for said in made.warnings if "estimate" in said]
    assert model in note and "the Hub could not be reached" in note
    assert not any("tensors are not known" in said for said in made.warnings)


def test_auto_chooses_by_estimates_too() -> None:
    made = source.plan_named(machine("pro6000"), Wanted(model="auto"))
    assert made.refusal is None and made.model is not None
    assert any("estimate" in said for said in made.warnings)


def test_a_hub_that_is_away_is_waited_for_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def away(choice: ModelChoice, _: object) -> supply.Failure:
        asked.append(f"{choice.name} {choice.quant}")
        return AWAY

    monkeypatch.setattr(source.supply, "model_from_hub", away)
    assert source.plan_named(machine("xeon"), Wanted(model="auto")).refusal is None
    assert len(asked) == len(set(asked)) == 2


def test_a_model_of_which_the_catalog_knows_no_geometry_fails_with_the_hub_s_sentence() -> None:
    row = {"repository": "some/one", "quants": {"Q4": {}}}
    wanted = replace(Wanted(model="new"), models_catalog={"new": row})
    with pytest.raises(Sentence) as raised:
        source.plan_named(machine("ryzen"), wanted)
    assert "the Hub could not be reached" in str(raised.value)

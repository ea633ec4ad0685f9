"""The question that most tests of supply ask: a model of the Hub on this machine."""

from __future__ import annotations

from dataclasses import replace

from boxwright import supply
from boxwright.operation.options import Endpoints
from boxwright.plan.known import ModelChoice
from tests.integration.supply_world import World

CHOICE = ModelChoice(name="tiny", quant="Q4_K_M", repository="lab/model-GGUF", revision="main")


def ends(world: World, **more: object) -> Endpoints:
    return replace(Endpoints(models_hub_url=world.hub_url), **more)  # type: ignore[arg-type]


def found(world: World, choice: ModelChoice = CHOICE, **more: object) -> supply.ResolvedModel:
    answer = supply.model_from_hub(choice, ends(world, **more))
    assert isinstance(answer, supply.ResolvedModel), answer
    return answer


def failure(world: World, choice: ModelChoice = CHOICE, **more: object) -> supply.Failure:
    answer = supply.model_from_hub(choice, ends(world, **more))
    assert isinstance(answer, supply.Failure), answer
    assert "\n" not in answer.sentence()
    assert not answer.reason.endswith(".")
    assert not answer.cure.endswith(".")
    return answer

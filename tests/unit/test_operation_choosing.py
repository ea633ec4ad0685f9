"""Which model a host is to have: chosen once per run, from its own stamps where they serve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyinfra.context import ctx_host

from boxwright import supply
from boxwright.operation import choosing, model_for_host, plan_for_host
from boxwright.plan.known import ModelChoice
from boxwright.supply import Failure
from tests.unit.plans import machine
from tests.unit.role_host import MODEL, RoleHost, box

GEOMETRY = {
    "layers": 16, "hidden_size": 1024, "vocabulary": 32000, "kv_elements_k": 512,
    "kv_elements_v": 512,
}  # fmt: skip
BEST = {
    **MODEL["tiny"], "quality": 1000, "parameters": 1_000_000_000, "geometry": GEOMETRY,
    "quants": {"Q8_0": {"size_gb": 1.1, "files": [{"name": "tiny.gguf"}]}},
}  # fmt: skip
ASKED: list[str] = []


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def unreachable(choice: ModelChoice, endpoints: Any) -> Failure:
        ASKED.append(choice.name)
        return Failure("the Hub does not answer", "try again later")

    monkeypatch.setattr(supply, "model_from_hub", unreachable)
    ASKED.clear()
    choosing._settled.clear()
    yield
    choosing._settled.clear()


def on(host: RoleHost, ask: Any) -> Any:
    with ctx_host.use(host):
        return ask()


def test_auto_serves_the_best_from_its_own_stamp() -> None:
    host = box(machine("ryzen"), model="auto", models_catalog={"tiny": BEST})
    made = on(host, plan_for_host)
    assert made.refusal is None and ASKED == []
    assert (made.model.name, made.model.quant) == ("tiny", "Q8_0")
    assert made.server.alias == "tiny"
    assert any("tiny Q8_0 is the best" in warning for warning in made.warnings)
    assert on(host, model_for_host).files[0].name == "tiny.gguf"


def test_a_host_that_serves_keeps_its_model_while_the_hub_is_away() -> None:
    """Better ones fit, and their tensors cannot be asked; the choice is made once in a run."""
    host = box(machine("ryzen"), model="auto", models_catalog={"tiny": {**BEST, "quality": 1}})
    assert on(host, plan_for_host).model.name == "tiny"
    assert on(host, plan_for_host).model.name == "tiny"
    assert ASKED[0] == "deepseek-v4-flash" and len(ASKED) == choosing.HUB_FAILURES


def test_a_model_that_is_named_is_not_chosen() -> None:
    host = box(machine("ryzen"))
    made = on(host, plan_for_host)
    assert made.model.name == "tiny" and not any("is the best" in one for one in made.warnings)
    assert ASKED == []


def test_without_a_stamp_the_hubs_failure_is_told() -> None:
    host = box(machine("ryzen"), model="auto", models_catalog={})
    refusal = on(host, plan_for_host).refusal
    assert refusal is not None and "the Hub does not answer" in refusal.reason

"""Which KV cache llama.cpp takes for a model; the reasons are its own error messages (b11669)."""

from __future__ import annotations

import pytest

from boxwright.plan import cache_kind
from boxwright.plan.results import Refusal
from boxwright.plan.wanted import Wanted
from tests.shapes.read import shape_of


def wanted(kind: str) -> Wanted:
    return Wanted(model="x", server_cache_type=kind)


@pytest.mark.parametrize(
    "model", ["llama-3.3-70b", "deepseek-v3", "mamba-2.8b", "phi-4", "gemma-3-27b"]
)
@pytest.mark.parametrize("kind", ["f16", "q8_0", "q4_0"])
def test_most_models_take_any(model: str, kind: str) -> None:
    assert cache_kind.decide(wanted(kind), shape_of(model)) == (wanted(kind), None)


@pytest.mark.parametrize(
    ("model", "reason"), [("bitnet-3b", "100 elements"), ("grok-1", "flash attention")]
)
def test_what_some_do_not_take_is_replaced_or_refused(model: str, reason: str) -> None:
    shape = shape_of(model)
    found = cache_kind.decide(wanted("q8_0"), shape)
    assert not isinstance(found, Refusal)
    assert found[0] == wanted("f16")
    assert reason in (found[1] or "")
    refused = cache_kind.decide(wanted("q4_0"), shape)
    assert isinstance(refused, Refusal)
    assert reason in refused.reason
    assert "f16" in refused.cure
    assert cache_kind.decide(wanted("f16"), shape) == (wanted("f16"), None)

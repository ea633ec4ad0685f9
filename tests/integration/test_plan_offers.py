"""Offers are true: each option that is offered, set, is accepted and brings what is said."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import catalog, plan
from boxwright.machine import Machine
from boxwright.plan import Known, Measured, Plan, Wanted
from boxwright.shapes import ModelShape
from tests.shapes.read import shape_of
from tests.unit.plans import (
    deepseek_v4_flash,
    flags,
    gpu,
    machine,
    minimax_m2,
    qwen35_122b,
    tiny,
)

OFFER = re.compile(r"(?P<option>server_\w+) = (?P<value>\w+): .+\.")
PREFILL = re.compile(r"prefill (\S+) instead of (\S+) tok/s")
DECODE = re.compile(r"decode (\S+) instead of (\S+) tok/s")
CATALOG = catalog.load()
UBUNTU = {"id": "ubuntu", "version_id": "24.04", "kernel": "6.8.0-60-generic"}


def offered(on: Machine, shape: ModelShape, known: Any = None, **wishes: Any) -> Plan:
    wanted, knows = Wanted(**wishes), replace(Known(shape=shape), **(known or {}))
    made = plan.make(on, CATALOG, wanted, knows)
    return plan.with_offers(on, CATALOG, wanted, knows, made)


def option_of(sentence: str) -> dict[str, Any]:
    """The option and value that an offer begins with, as a user would set them."""
    found = OFFER.fullmatch(sentence)
    assert found is not None, sentence
    value = found["value"]
    values: dict[str, Any] = {"None": None, "auto": "auto"}
    return {found["option"]: values[value] if value in values else int(value)}


def offer_of(made: Plan, option: str) -> str:
    (found,) = [one for one in made.offers if one.startswith(f"{option} = ")]
    return found


def names(made: Plan) -> set[str]:
    return {name for one in made.offers for name in option_of(one)}


CARDS = st.lists(st.sampled_from([11264, 16384, 24576, 49152, 98304]), max_size=3)
WISHES = st.fixed_dictionaries(
    {
        "server_context": st.sampled_from([4096, 32768, 100000]),
        "server_ubatch": st.sampled_from([256, 512, 2048]),
        "server_parallel": st.integers(1, 3),
        "server_placement": st.sampled_from(["auto", "auto", "cpu-moe", "cpu"]),
    }
)


@settings(max_examples=15, deadline=None)
@given(
    shape=st.sampled_from([qwen35_122b(), minimax_m2(), deepseek_v4_flash(), tiny()]),
    ram_mib=st.integers(30000, 300000),
    cards=CARDS,
    id=st.sampled_from(["10de:1bb0", "10de:2204", "10de:2b85"]),
    wishes=WISHES,
)
def test_every_offer_is_accepted_and_brings_what_it_says(
    shape: ModelShape, ram_mib: int, cards: list[int], id: str, wishes: dict[str, Any]
) -> None:
    if wishes["server_placement"] == "cpu-moe" and not (shape.experts and cards):
        wishes = {**wishes, "server_placement": "auto"}
    fitted = [gpu(f"0000:{n:02x}:00.0", id, vram_mib=size) for n, size in enumerate(cards, 1)]
    on = machine("xeon", memory={"total_mib": ram_mib}, gpus=fitted)
    made = offered(on, shape, **wishes)
    assert made.refusal is None or not made.offers
    for sentence in made.offers:
        other = plan.make(
            on, CATALOG, Wanted(**{**wishes, **option_of(sentence)}), Known(shape=shape)
        )
        assert other.refusal is None and other.memory is not None and other.memory.fits, sentence
        assert made.speed is not None and other.speed is not None
        said = {
            PREFILL: (made.speed.prefill_tok_s[1], other.speed.prefill_tok_s[1]),
            DECODE: (made.speed.decode_tok_s[1], other.speed.decode_tok_s[1]),
        }
        for pattern, (before, after) in said.items():
            told = pattern.search(sentence)
            if told:
                assert (float(told[1]), float(told[2])) == pytest.approx((after, before), rel=1e-4)
            elif "moe_cache" not in sentence:
                assert after == before
        if "moe_cache" not in sentence:
            assert said[DECODE][1] >= 0.9 * said[DECODE][0], sentence
    assert len(names(made)) == len(made.offers)


def test_a_larger_batch_is_offered_where_experts_are_copied_for_each() -> None:
    made = offered(machine("ryzen"), qwen35_122b(), server_placement="cpu-moe")
    found = PREFILL.search(offer_of(made, "server_ubatch"))
    assert found is not None and float(found[1]) > 2 * float(found[2])
    assert "decode as it is" in offer_of(made, "server_ubatch")
    assert "server_ubatch" not in names(offered(machine("pro6000"), qwen35_122b()))


def test_a_larger_batch_for_which_experts_leave_the_card_says_what_that_costs() -> None:
    made = offered(machine("ryzen"), qwen35_122b())
    found = DECODE.search(offer_of(made, "server_ubatch"))
    assert found is not None and float(found[2]) > float(found[1]) > 0.9 * float(found[2])


@pytest.mark.parametrize("wishes", [{"server_ubatch": 0}, {"server_profile": "prefill"}])
def test_a_batch_that_the_plan_chose_itself_is_not_offered(wishes: dict[str, Any]) -> None:
    made = offered(machine("ryzen"), qwen35_122b(), server_placement="cpu-moe", **wishes)
    assert "server_ubatch" not in names(made)


def test_a_forced_layout_says_what_it_gives_away() -> None:
    made = offered(machine("ryzen"), qwen35_122b(), server_placement="cpu-moe")
    found = DECODE.search(offer_of(made, "server_placement"))
    assert found is not None and float(found[1]) > 1.2 * float(found[2])
    counted = offered(machine("ryzen"), qwen35_122b(), server_n_cpu_moe=48)
    assert "server_n_cpu_moe" in names(counted)
    both = {"server_placement": "cpu-moe", "server_n_cpu_moe": 48}
    sentence = offer_of(offered(machine("ryzen"), qwen35_122b(), **both), "server_placement")
    assert "server_placement = auto and server_n_cpu_moe = None: " in sentence
    assert not names(offered(machine("ryzen"), qwen35_122b())) & {"server_placement"}


def test_the_expert_cache_takes_the_vram_that_is_free_and_names_the_bus() -> None:
    made = offered(machine("xeon"), qwen35_122b(), server_placement="cpu-moe")
    sentence = offer_of(made, "server_moe_cache_mib")
    assert "PCIe 3.0 as here" in sentence and "boxwright bench" in sentence
    size = option_of(sentence)["server_moe_cache_mib"]
    assert made.memory is not None
    free = [device.total_mib - device.need_mib for device in made.memory.devices]
    # two cards with 24 layers each: the fuller one decides
    assert 2 * min(free) - 256 - 2 < size <= 2 * min(free)
    fast = offered(machine("ryzen"), qwen35_122b(), server_placement="cpu-moe")
    assert "as here" not in offer_of(fast, "server_moe_cache_mib")


@pytest.mark.parametrize(
    ("build", "there"), [("b10434", False), ("b11669", True), (None, True), ("b11434", False)]
)
def test_the_expert_cache_is_offered_only_where_the_build_has_it(
    build: str | None, there: bool
) -> None:
    """By the installed build's own help, else by the catalog (reference/llama-cpp.md 3.2)."""
    wishes: dict[str, Any] = {"server_placement": "cpu-moe"}
    known: dict[str, Any] = {}
    if build == "b11434":
        wishes["runtime_build"] = build
    elif build is not None:
        made = offered(machine("xeon"), qwen35_122b())
        assert made.runtime is not None
        # --load-mode is newer than the older help; without it nothing would be planned at all
        has = flags(build) | {"--load-mode"}
        known = {"flags_by_release": {made.runtime.release: has}}
    made = offered(machine("xeon"), qwen35_122b(), known, **wishes)
    assert made.refusal is None
    assert ("server_moe_cache_mib" in names(made)) is there


def test_the_expert_cache_is_not_offered_where_no_experts_or_no_vram_are_left() -> None:
    for on in ("pro6000", "ryzen", "plain"):
        assert "server_moe_cache_mib" not in names(offered(machine(on), qwen35_122b()))


def test_more_context_is_offered_up_to_what_the_model_was_trained_with() -> None:
    made = offered(machine("pro6000"), qwen35_122b())
    assert offer_of(made, "server_context").startswith("server_context = 262144: 8 times")
    assert "with the same placement" in offer_of(made, "server_context")
    full = offered(machine("pro6000"), qwen35_122b(), server_context=262144)
    assert full.offers == ()
    two = offered(machine("pro6000"), tiny(), server_parallel=2)
    assert offer_of(two, "server_context").startswith("server_context = 262144: ")


def test_what_was_measured_does_not_change_what_is_predicted_of_offers() -> None:
    measured = Measured((3.0, 3.0, 3.0))
    plain = offered(machine("ryzen"), qwen35_122b())
    made = offered(machine("ryzen"), qwen35_122b(), {"measured": measured})
    assert made.speed is not None and made.speed.bound_by == "measured"
    assert made.offers == plain.offers


def test_a_refused_plan_has_none_and_the_json_holds_them_as_sentences() -> None:
    small = machine("ryzen", memory={"total_mib": 16000})
    refused = offered(small, qwen35_122b())
    assert refused.refusal is not None and refused.offers == ()
    made = offered(machine("ryzen"), qwen35_122b())
    assert plan.as_json(made)["offers"] == list(made.offers) != []


def test_a_slow_first_card_that_slows_prompts_may_be_ignored() -> None:
    """It takes part of the weights, so decode gains a little; prompts' experts are its work too."""
    slow, fast = gpu("0000:01:00.0", "10de:2531", vram_mib=12288), gpu("0000:02:00.0", "10de:2684")
    shape, ubatch = shape_of("qwen3-235b"), {"server_ubatch": 2048}

    def on(*cards: dict[str, Any]) -> Machine:
        return machine("ryzen", os=UBUNTU, memory={"total_mib": 257000}, gpus=list(cards))

    made = offered(on(slow, fast), shape, **ubatch)
    sentence = offer_of(made, "ignore_gpus")
    assert sentence.startswith('ignore_gpus = ("0000:01:00.0",): predicted prefill ')
    without = offered(on(slow, fast), shape, ignore_gpus=("0000:01:00.0",), **ubatch)
    alone = offered(on(fast), shape, **ubatch)
    assert made.speed is not None and without.speed is not None
    assert without.speed == alone.speed
    told = PREFILL.search(sentence)
    assert told is not None
    assert float(told[1]) == without.speed.prefill_tok_s[1] >= 1.25 * float(told[2])
    assert float(told[2]) == made.speed.prefill_tok_s[1]
    turned = on({**fast, "pci": "0000:01:00.0"}, {**slow, "pci": "0000:02:00.0"})
    assert "ignore_gpus" not in " ".join(offered(turned, shape, **ubatch).offers)

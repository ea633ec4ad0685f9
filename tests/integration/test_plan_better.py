"""What a plan says of the next better model: with the RAM it names, just that one is chosen."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from boxwright import catalog, plan
from boxwright.machine import Machine
from boxwright.plan import Known, ModelChoice, Refusal, Wanted
from boxwright.plan.choose import candidates, settle
from boxwright.plan.estimate import estimated_shape
from tests.unit.plans import machine

CATALOG = catalog.load()
AUTO = Wanted(model="auto")
STEP = re.compile(r"\+(\d+) GB RAM → (\S+ \S+)")
NOTE = re.compile(
    r"(?P<label>\S+ \S+) is the best of the catalog(?: in (?P<quant>\S+))? that fits here"
    r"(?:; the next better: (?P<better>.+))?\."
)
OFFERED_GIB = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def at_hub(choice: ModelChoice) -> Known | None:
    """The Hub's answer, if it were what the catalog estimates."""
    row = CATALOG.models[choice.name]
    return Known(shape=estimated_shape(row, row.quants[choice.quant]))


def chosen(on: Machine, wanted: Wanted) -> Wanted:
    found = settle(on, CATALOG, wanted, at_hub)
    assert isinstance(found, Wanted), found
    return found


def label_of(settled: Wanted) -> str:
    return f"{settled.model} {settled.model_quant}"


def with_more(on: Machine, more_gib: int) -> Machine:
    total_mib = on.memory.total_mib + more_gib * 1024
    return replace(on, memory=replace(on.memory, total_mib=total_mib))


def box(name: str, total_mib: int | None = None, **changes: Any) -> Machine:
    return machine(name, **({"memory": {"total_mib": total_mib}} if total_mib else {}), **changes)


def told(on: Machine, wanted: Wanted) -> list[tuple[int, str]]:
    """The steps of the note, as GiB and label."""
    settled = chosen(on, wanted)
    (note,) = plan.note_on(on, CATALOG, wanted, settled)
    found = NOTE.fullmatch(note)
    assert found is not None and found["label"] == label_of(settled), note
    assert found["quant"] == wanted.model_quant
    if found["better"] is None:
        return []
    steps = [STEP.fullmatch(one) for one in found["better"].split(", ")]
    assert all(steps), note
    return [(int(step[1]), step[2]) for step in steps if step]


@pytest.mark.parametrize(
    ("on", "wishes", "now", "labels"),
    [
        # a quant that is asked for stays so with more RAM: no other model of the catalog has it
        (box("xeon"), {"model_quant": "Q4_K_M"}, "qwen3.5-122b-a10b Q4_K_M", []),
        (
            box("xeon", 64000),
            {"model_quant": "UD-IQ4_XS"},
            "qwen3.5-122b-a10b UD-IQ4_XS",
            ["minimax-m2.7 UD-IQ4_XS"],
        ),
        # a better quant of the same model is better too; behind it stands the next other model
        (
            box("xeon"),
            {"gpu_count": 1},
            "minimax-m2.7 UD-IQ4_XS",
            ["minimax-m2.7 UD-Q4_K_M"],
        ),
        (
            box("plain"),
            {},
            "qwen3.5-122b-a10b UD-Q3_K_XL",
            ["qwen3.5-122b-a10b Q4_K_M", "minimax-m2.7 UD-IQ4_XS"],
        ),
        (box("xeon", 64000), {}, "qwen3.5-122b-a10b UD-Q4_K_XL", ["minimax-m2.7 UD-IQ4_XS"]),
        (box("ryzen"), {}, "deepseek-v4-flash UD-Q8_K_XL", []),  # the best there is
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_with_the_ram_it_names_just_that_is_chosen_and_with_less_nothing_better(
    on: Machine, wishes: dict[str, Any], now: str, labels: list[str]
) -> None:
    wanted = replace(AUTO, **wishes)
    steps = told(on, wanted)
    assert label_of(chosen(on, wanted)) == now and [label for _, label in steps] == labels
    rank_of = {one.label: one.rank for one in candidates(CATALOG, wanted)}
    ranks = [rank_of[label] for label in (now, *labels)]
    assert ranks == sorted(ranks) and len(set(ranks)) == len(ranks)
    for more_gib, label in steps:
        assert label_of(chosen(with_more(on, more_gib), wanted)) == label
    least_gib = steps[0][0] if steps else max(OFFERED_GIB) + 1
    for more_gib in OFFERED_GIB:
        if more_gib < least_gib:
            assert label_of(chosen(with_more(on, more_gib), wanted)) == now


@pytest.mark.parametrize("quant", [None, "Q4_K_M", "UD-IQ4_XS", "UD-Q4_K_M", "Q8_0"])
@pytest.mark.parametrize("name", ["plain", "xeon", "ryzen"])
@pytest.mark.parametrize("total_mib", [24000, 64000, 128750])
def test_no_note_is_false_on_any_box(name: str, total_mib: int, quant: str | None) -> None:
    on, wanted = box(name, total_mib), replace(AUTO, model_quant=quant)
    if isinstance(settle(on, CATALOG, wanted, at_hub), Refusal):
        return
    for more_gib, label in told(on, wanted):
        assert label_of(chosen(with_more(on, more_gib), wanted)) == label


def test_of_a_model_that_was_named_it_says_nothing() -> None:
    assert plan.note_on(machine("xeon"), CATALOG, Wanted(), Wanted()) == ()

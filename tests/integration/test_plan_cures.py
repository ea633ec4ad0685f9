"""Cures are true: what a refusal for memory says to add or to set, done, is accepted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import catalog
from boxwright.plan import Plan, estimated_shape
from boxwright.shapes import ModelShape
from tests.unit.plans import gpu, machine, minimax_m2, planned, qwen35_122b, tiny

MORE_RAM = re.compile(r"add (\d+) GiB of RAM")
MORE_VRAM = re.compile(r"use cards with (\d+) GiB more VRAM each")
MORE = re.compile(r"(add \d+ GiB of RAM)?( and )?(use cards with \d+ GiB more VRAM each)?")
LESS = re.compile(r"(?:set|lower) (?P<option>server_\w+) to (?P<value>\w+)")
UNSET = re.compile(r"leave (?P<option>server_\w+) unset")
QUANT = re.compile(r"set model_quant to (?P<quant>\S+) \((?P<size>\d+) GiB, by estimate\)")
CHOICE = re.compile(r"choose a (smaller model|quant with at most \d+ GiB of weights for the host)")
CARDS = st.lists(st.sampled_from([4096, 8192, 12288, 16384, 24576]), min_size=1, max_size=3)


def plan_of(shape: ModelShape, ram_mib: int, cards: list[int], wishes: dict[str, Any]) -> Plan:
    fitted = [
        gpu(f"0000:{n:02x}:00.0", "10de:2204", vram_mib=size) for n, size in enumerate(cards, 1)
    ]
    return planned(machine("xeon", memory={"total_mib": ram_mib}, gpus=fitted), shape, **wishes)


def wishes_of(clause: str) -> dict[str, Any] | None:
    """What one cure tells to set; None for those that tell something else."""
    parts = [_wish_of(part) for part in clause.split(" and ")]
    return None if None in parts else {k: v for part in parts for k, v in (part or {}).items()}


def _wish_of(clause: str) -> dict[str, Any] | None:
    less, unset = LESS.fullmatch(clause), UNSET.fullmatch(clause)
    if unset:
        return {unset["option"]: None}
    if less is None:
        return None
    value = less["value"]
    return {less["option"]: int(value) if value.isdecimal() else value}


WISHES = st.fixed_dictionaries(
    {
        "server_context": st.sampled_from([8192, 32768, 131072, 196608]),
        "server_placement": st.sampled_from(["auto", "auto", "gpu", "cpu-moe"]),
        "server_ubatch": st.sampled_from([256, 512, 2048]),
        "server_parallel": st.sampled_from([1, 1, 4, 16]),
        "server_cache_type": st.sampled_from(["q8_0", "f16"]),
        "server_cache_ram_mib": st.sampled_from([0, 2048, 16384]),
        "server_moe_cache_mib": st.sampled_from([None, None, 6000]),
        "server_n_cpu_moe": st.sampled_from([None, None, 20, 44]),
    }
)
HYBRID_MODEL, FULL_MODEL = "qwen3.5-122b-a10b", "minimax-m2.7"


@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from([qwen35_122b(), minimax_m2(), tiny()]),
    ram_mib=st.integers(6000, 140000),
    cards=CARDS,
    wishes=st.fixed_dictionaries(
        {
            "server_context": st.sampled_from([8192, 32768, 131072]),
            "server_placement": st.sampled_from(["auto", "auto", "gpu", "cpu-moe"]),
            "server_ubatch": st.sampled_from([512, 2048]),
        }
    ),
)
def test_what_is_to_be_added_is_enough(
    shape: ModelShape, ram_mib: int, cards: list[int], wishes: dict[str, Any]
) -> None:
    if wishes["server_placement"] == "cpu-moe" and not shape.experts:
        wishes = {**wishes, "server_placement": "auto"}
    made = plan_of(shape, ram_mib, cards, wishes)
    if made.refusal is None:
        return
    ram, vram = MORE_RAM.search(made.refusal.cure), MORE_VRAM.search(made.refusal.cure)
    assert ram or vram, made.refusal.sentence()
    more_ram_mib = int(ram[1]) * 1024 if ram else 0
    more_vram_mib = int(vram[1]) * 1024 if vram else 0
    cured = plan_of(shape, ram_mib + more_ram_mib, [c + more_vram_mib for c in cards], wishes)
    assert cured.refusal is None, (made.refusal.sentence(), cured.refusal)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from([HYBRID_MODEL, FULL_MODEL, "tiny"]),
    ram_mib=st.integers(6000, 140000),
    near=st.booleans(),
    cards=CARDS,
    wishes=WISHES,
)
def test_every_cure_that_names_an_option_is_accepted_once_it_is_set(
    name: str, ram_mib: int, near: bool, cards: list[int], wishes: dict[str, Any]
) -> None:
    shape = {HYBRID_MODEL: qwen35_122b(), FULL_MODEL: minimax_m2(), "tiny": tiny()}[name]
    if wishes["server_placement"] == "cpu-moe" and not shape.experts:
        wishes = {**wishes, "server_placement": "auto"}
    if wishes["server_placement"] != "auto" or not shape.experts:
        wishes = {**wishes, "server_n_cpu_moe": None}
    model = {"model": name} if name != "tiny" else {}
    if near:  # the RAM that the plan with all wishes would take, less some GiB
        whole = plan_of(shape, 300000, cards, wishes)
        assert whole.memory is not None
        ram_mib = max(whole.memory.host.need_mib - ram_mib // 40, 6000)
    made = plan_of(shape, ram_mib, cards, {**wishes, **model})
    if made.refusal is None:
        return
    first, *others = made.refusal.cure.split(", or ")
    assert first and MORE.fullmatch(first), first
    for clause in others:
        wish, quant = wishes_of(clause), QUANT.fullmatch(clause)
        assert wish is not None or quant or CHOICE.fullmatch(clause), clause
        if quant:
            row = catalog.load().models[made.model.name]  # type: ignore[union-attr]
            size_gb = row.quants[quant["quant"]].size_gb or 0.0
            assert abs(int(quant["size"]) - size_gb * 10**9 / 2**30) <= 0.5
            estimated = estimated_shape(row, row.quants[quant["quant"]])
            assert estimated is not None
            cured = plan_of(estimated, ram_mib, cards, {**wishes, **model})
        else:
            cured = plan_of(shape, ram_mib, cards, {**wishes, **model, **(wish or {})})
        assert CHOICE.fullmatch(clause) or cured.refusal is None, (clause, cured.refusal)


@pytest.mark.parametrize(
    ("shape", "lacking_mib", "wishes", "cure"),
    [
        # of 2048 MiB some 1500 are too many: what is left is named in steps of 128
        (minimax_m2(), 1500, {}, "lower server_cache_ram_mib to 512"),
        # seven checkpoints of 149 MiB: 500 MiB are four of them
        (qwen35_122b(), 500, {}, "lower server_context_checkpoints to 3"),
        # four users keep 7 checkpoints each, two keep 11 each (6 fewer), one keeps 19 (9 fewer)
        (
            qwen35_122b(),
            1000,
            {"server_context": 131072, "server_parallel": 4, "server_cache_ram_mib": 0},
            "lower server_parallel to 1",
        ),
    ],
)
def test_what_host_ram_lacks_is_taken_from_what_is_least_missed(
    shape: ModelShape, lacking_mib: int, wishes: dict[str, Any], cure: str
) -> None:
    wishes = {"server_placement": "cpu-moe", **wishes}
    whole = plan_of(shape, 300000, [24576], wishes)
    assert whole.memory is not None and whole.refusal is None
    made = plan_of(shape, whole.memory.host.need_mib - lacking_mib, [24576], wishes)
    assert made.refusal is not None
    assert cure in made.refusal.cure.split(", or "), made.refusal.cure


def test_where_one_option_is_not_enough_it_is_named_beside_no_cached_prompts() -> None:
    """2500 MiB are 452 more than the cache holds: four of the seven checkpoints of 149 MiB."""
    wishes: dict[str, Any] = {"server_placement": "cpu-moe"}
    whole = plan_of(qwen35_122b(), 300000, [24576], wishes)
    assert whole.memory is not None
    ram_mib = whole.memory.host.need_mib - 2500
    made = plan_of(qwen35_122b(), ram_mib, [24576], wishes)
    assert made.refusal is not None
    clauses = [one for one in made.refusal.cure.split(", or ") if "server_cache_ram_mib" in one]
    assert "lower server_cache_ram_mib to 0 and lower server_context_checkpoints to 3" in clauses
    for clause in clauses:
        cured = plan_of(qwen35_122b(), ram_mib, [24576], {**wishes, **(wishes_of(clause) or {})})
        assert cured.refusal is None, (clause, cured.refusal)


@pytest.mark.parametrize(
    ("vram_mib", "wishes", "option"),
    [
        (10000, {"server_context": 131072, "server_cache_type": "f16"}, "server_cache_type"),
        (13000, {"server_ubatch": 8192}, "server_ubatch"),
        (10000, {"server_context": 262144}, "server_context"),
        (13000, {"server_moe_cache_mib": 9000}, "server_moe_cache_mib"),
        (40000, {"server_placement": "gpu"}, "server_placement"),
        (13000, {"server_n_cpu_moe": 40, "server_placement": "auto"}, "server_n_cpu_moe"),
    ],
)
def test_what_vram_lacks_is_cured_by_the_option_that_asks_for_too_much(
    vram_mib: int, wishes: dict[str, Any], option: str
) -> None:
    wishes = {"server_placement": "cpu-moe", **wishes}
    made = plan_of(qwen35_122b(), 128000, [vram_mib], wishes)
    assert made.refusal is not None and "VRAM" in made.refusal.reason
    clauses = [one for one in made.refusal.cure.split(", or ") if f" {option} " in one]
    assert clauses
    for clause in clauses:
        wish = wishes_of(clause)
        assert wish is not None
        cured = plan_of(qwen35_122b(), 128000, [vram_mib], {**wishes, **wish})
        assert cured.refusal is None, cured.refusal


@pytest.mark.parametrize(
    ("ram_mib", "cards", "forced", "verb", "closer"),
    [
        (128000, [13000], 30, "set", -1),
        (128000, [13000, 13000], 35, "set", -1),
        (60000, [24576], 46, "lower", 1),
    ],
)
def test_a_forced_count_of_layers_is_cured_by_the_nearest_that_fits(
    ram_mib: int, cards: list[int], forced: int, verb: str, closer: int
) -> None:
    made = plan_of(qwen35_122b(), ram_mib, cards, {"server_n_cpu_moe": forced})
    assert made.refusal is not None
    found = re.search(rf"{verb} server_n_cpu_moe to (\d+)", made.refusal.cure)
    assert found, made.refusal.cure
    count = int(found[1])
    cured = plan_of(qwen35_122b(), ram_mib, cards, {"server_n_cpu_moe": count})
    assert cured.refusal is None
    nearer = plan_of(qwen35_122b(), ram_mib, cards, {"server_n_cpu_moe": count + closer})
    assert nearer.refusal is not None


def test_the_context_that_is_named_is_close_to_the_largest_that_fits() -> None:
    wishes = {"server_placement": "cpu-moe", "server_context": 196608}
    made = plan_of(minimax_m2(), 192000, [24576], wishes)
    assert made.refusal is not None
    (clause,) = [one for one in made.refusal.cure.split(", or ") if "server_context" in one]
    tokens = (wishes_of(clause) or {})["server_context"]
    more = {**wishes, "server_context": int(tokens * 1.03)}
    assert plan_of(minimax_m2(), 192000, [24576], more).refusal is not None


def test_two_cards_whose_forced_shares_do_not_fit_are_told_to_be_shared_freely() -> None:
    wishes = {"server_placement": "cpu-moe", "server_tensor_split": (9.0, 1.0)}
    made = plan_of(minimax_m2(), 192000, [7168, 7168], wishes)
    assert made.refusal is not None
    assert "leave server_tensor_split unset" in made.refusal.cure
    free = {**wishes, "server_tensor_split": None}
    assert plan_of(minimax_m2(), 192000, [7168, 7168], free).refusal is None

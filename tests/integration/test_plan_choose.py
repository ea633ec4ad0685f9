"""`model: auto`: what is chosen for which machine, and that more memory is never worse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import catalog, plan
from boxwright.machine import Machine
from boxwright.plan import Known, ModelChoice, Refusal, Wanted
from boxwright.plan.choose import candidates, settle, suits
from boxwright.plan.estimate import estimated_shape
from boxwright.plan.place import Places
from tests.unit.plans import (
    deepseek_v4_flash,
    gpu,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    tiny,
)

CATALOG = catalog.load()
AUTO = Wanted(model="auto")


def at_hub(choice: ModelChoice) -> Known | None:
    """The Hub's answer, if it were what the catalog estimates."""
    row = CATALOG.models[choice.name]
    return Known(shape=estimated_shape(row, row.quants[choice.quant]))


def chosen(on: Machine, wanted: Wanted = AUTO) -> str:
    found = settle(on, CATALOG, wanted, at_hub)
    assert isinstance(found, Wanted), found
    return f"{found.model} {found.model_quant}"


def with_ram(name: str, total_mib: int, **changes: Any) -> Machine:
    return machine(name, memory={"total_mib": total_mib, "available_mib": 0}, **changes)


def rank_of(label: str, wanted: Wanted = AUTO) -> tuple[int, float]:
    return {one.label: one.rank for one in candidates(CATALOG, wanted)}[label]


@pytest.mark.parametrize(
    ("on", "wishes", "label"),
    [
        # the article's boxes: 155 GB of DeepSeek in 192 GB, MiniMax's 140 GB in 128 + 2 x 16
        (machine("ryzen"), {}, "deepseek-v4-flash UD-Q8_K_XL"),
        (machine("xeon"), {}, "minimax-m2.7 UD-Q4_K_M"),
        (with_ram("xeon", 128712, gpus=[]), {}, "minimax-m2.7 UD-IQ4_XS"),
        (with_ram("ryzen", 64000), {}, "qwen3.5-122b-a10b UD-Q4_K_XL"),
        (with_ram("ryzen", 32000, gpus=[]), {}, "qwen3.6-35b-a3b UD-Q4_K_XL"),
        (with_ram("ryzen", 18500, gpus=[]), {}, "gpt-oss-20b MXFP4"),
        (with_ram("ryzen", 16000), {"model_quant": "Q8_0"}, "qwen3-30b-a3b Q8_0"),
        # more speed is asked for than the big ones have; more context than others were trained for
        (machine("ryzen"), {"model_min_decode_tok_s": 100.0}, "qwen3.6-35b-a3b UD-Q4_K_XL"),
        (machine("pro6000"), {"server_context": 1_000_000}, "deepseek-v4-flash UD-Q8_K_XL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_best_that_fits_is_chosen(on: Machine, wishes: dict[str, Any], label: str) -> None:
    assert chosen(on, replace(AUTO, **wishes)) == label


def test_a_model_that_is_named_stays() -> None:
    named = Wanted(model="gpt-oss-20b")
    assert settle(machine("ryzen"), CATALOG, named, at_hub) is named


def test_nothing_fits_a_small_box() -> None:
    found = settle(with_ram("plain", 2000, gpus=[]), CATALOG, AUTO, at_hub)
    assert isinstance(found, Refusal)
    assert "2000 MiB" in found.reason and "server_context" in found.cure


def test_vram_that_nobody_tells_is_what_is_refused() -> None:
    """An M40 has 12 or 24 GB, and only its driver knows."""
    unknown = machine("ryzen", gpus=[gpu("0000:01:00.0", "10de:17fd")])
    found = settle(unknown, CATALOG, AUTO, at_hub)
    assert isinstance(found, Refusal)
    assert "VRAM of 0000:01:00.0" in found.reason and "M40" in found.reason
    assert "gpu_vram_mib" in found.cure
    assert chosen(unknown, replace(AUTO, gpu_vram_mib={"0000:01:00.0": 12288}))


def test_sizes_that_cannot_be_meant_are_what_is_refused() -> None:
    found = settle(machine("ryzen"), CATALOG, replace(AUTO, server_parallel=0), at_hub)
    assert isinstance(found, Refusal) and "server_parallel is 0" in found.reason


# what nvidia-smi tells of each: with ECC as delivered, and with ECC turned off
@pytest.mark.parametrize(
    ("id", "told"),
    [
        ("10de:1b38", (22919, 24576)),
        ("10de:1bb3", (7611, 8192)),
        ("10de:1bb0", (16273, 16384)),
        ("10de:2b85", (32607, 32560)),
        ("10de:1eb8", (15109, 15360)),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_what_the_driver_tells_of_vram_changes_no_choice(
    id: str, told: tuple[int, int], count: int
) -> None:
    def with_cards(total_mib: int, **more: Any) -> Machine:
        cards = [gpu(f"0000:0{slot}:00.0", id, **more) for slot in range(1, count + 1)]
        return with_ram("ryzen", total_mib, gpus=cards)

    for total_mib in (16000, 24000, 64000):
        fresh = chosen(with_cards(total_mib))
        for vram_mib in told:
            assert chosen(with_cards(total_mib, vram_mib=vram_mib, driver="nvidia")) == fresh


def test_a_card_with_more_memory_soldered_on_counts_with_it() -> None:
    """A 2080 Ti of 22 GB is not an ECC setting."""
    models = []
    for vram_mib in (11264, 22528):
        card = gpu("0000:01:00.0", "10de:1e04", vram_mib=vram_mib, driver="nvidia")
        models.append(chosen(with_ram("ryzen", 62000, gpus=[card])))
    assert rank_of(models[1]) > rank_of(models[0])


@pytest.mark.parametrize("context", [0, 32768])
def test_a_choice_takes_few_placements(context: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One placement takes up to 50 ms, and `auto` is to take less than two seconds."""
    counted = 0

    class Counting(Places):
        def __call__(self, wanted: Wanted) -> Any:
            nonlocal counted
            counted += 1
            return super().__call__(wanted)

        def holds(self, wanted: Wanted, least_layers: int = 0) -> bool:
            nonlocal counted
            counted += 1
            return super().holds(wanted, least_layers)

    monkeypatch.setattr("boxwright.plan.choose.Places", Counting)
    cards = [gpu(f"0000:0{slot}:00.0", "10de:2204", vram_mib=24576) for slot in (1, 2)]
    on, wanted = with_ram("ryzen", 32000, gpus=cards), replace(AUTO, server_context=context)
    settled = settle(on, CATALOG, wanted, at_hub)
    assert isinstance(settled, Wanted)
    plan.note_on(on, CATALOG, wanted, settled)
    assert 0 < counted <= (50 if context == 0 else 12)


def test_what_is_free_now_changes_nothing() -> None:
    """A host that serves has little memory left, and its driver tells a little less of its VRAM."""
    card = gpu("0000:01:00.0", "10de:2b85", vram_mib=32560, vram_used_mib=31000, driver="nvidia")
    busy = machine("ryzen", memory={"total_mib": 193069 - 150, "available_mib": 9000}, gpus=[card])
    assert chosen(busy) == chosen(machine("ryzen"))


def test_a_shape_that_turns_out_too_large_leaves_it_to_the_next() -> None:
    def surprising(choice: ModelChoice) -> Known | None:
        known = at_hub(choice)
        if choice.name != "deepseek-v4-flash" or known is None or known.shape is None:
            return known
        layers = tuple(replace(one, dense_bytes=10**10) for one in known.shape.layers)
        return replace(known, shape=replace(known.shape, layers=layers))

    found = settle(machine("ryzen"), CATALOG, AUTO, surprising)
    assert isinstance(found, Wanted) and found.model == "minimax-m2.7"


def test_without_the_hub_the_model_that_is_on_the_host_stays() -> None:
    def offline(choice: ModelChoice) -> Known | None:
        return at_hub(choice) if choice.name == "qwen3.5-122b-a10b" else None

    found = settle(machine("ryzen"), CATALOG, AUTO, offline)
    assert isinstance(found, Wanted) and found.model == "qwen3.5-122b-a10b"
    nothing = settle(machine("ryzen"), CATALOG, AUTO, lambda _: None)
    assert isinstance(nothing, Wanted) and nothing.model == "deepseek-v4-flash"


def test_without_the_hub_estimates_are_not_placed_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the best has no shape, another one's estimate cannot make it the choice."""
    judged: list[str] = []

    def judging(*args: Any, **more: Any) -> bool:
        judged.append(args[2].model)
        return suits(*args, **more)

    monkeypatch.setattr("boxwright.plan.choose.suits", judging)
    found = settle(machine("ryzen"), CATALOG, AUTO, lambda _: None)
    assert isinstance(found, Wanted) and judged == [found.model]


def test_the_note_is_among_the_plans_warnings() -> None:
    made = planned("ryzen", tiny(), {"notes": ("said of the choice",)})
    assert "said of the choice" in made.warnings


@settings(max_examples=4, deadline=None)
@given(
    name=st.sampled_from(["xeon", "ryzen", "pro6000"]),
    ram_gb=st.integers(8, 320),
    more_gb=st.integers(0, 200),
    vram_gb=st.integers(4, 48),
    more_vram_gb=st.integers(0, 48),
)
def test_more_memory_never_chooses_a_worse_model(
    name: str, ram_gb: int, more_gb: int, vram_gb: int, more_vram_gb: int
) -> None:
    def rank(ram: int, vram: int) -> tuple[int, float]:
        on = with_ram(name, ram * 1024)
        wanted = replace(AUTO, gpu_vram_mib={one.pci: vram * 1024 for one in on.gpus})
        found = settle(on, CATALOG, wanted, at_hub)
        if isinstance(found, Refusal):
            return (-1, 0.0)
        return rank_of(f"{found.model} {found.model_quant}")

    small = rank(ram_gb, vram_gb)
    assert rank(ram_gb + more_gb, vram_gb) >= small
    assert rank(ram_gb, vram_gb + more_vram_gb) >= small


@pytest.mark.parametrize(
    ("name", "real"),
    [
        ("qwen3.5-122b-a10b", qwen35_122b()),
        ("minimax-m2.7", minimax_m2()),
        ("deepseek-v4-flash", deepseek_v4_flash()),
    ],
)
def test_estimates_are_near_the_real_tensors(name: str, real: Any) -> None:
    """reference/llama-cpp.md 4.5 has the bytes of the three models: the small dense part within a
    third, the experts within 5 %."""
    size_bytes = sum(one.dense_bytes + one.expert_bytes for one in real.layers)
    size_gb = (size_bytes + real.embedding_bytes + real.output_bytes) / 1e9
    shape = estimated_shape(CATALOG.models[name], catalog.QuantRow(size_gb=size_gb))
    assert shape is not None and len(shape.layers) == len(real.layers)
    experts = [sum(layer.expert_bytes for layer in one.layers) for one in (shape, real)]
    dense = [sum(layer.dense_bytes for layer in one.layers) for one in (shape, real)]
    assert experts[0] == pytest.approx(experts[1], rel=0.05)
    assert dense[0] == pytest.approx(dense[1], rel=0.35)
    for mine, theirs in zip(shape.layers, real.layers, strict=True):
        assert (mine.kv_elements_k, mine.kv_elements_v) == (
            theirs.kv_elements_k,
            theirs.kv_elements_v,
        )
        assert mine.recurrent_bytes == theirs.recurrent_bytes
        assert mine.sliding_window == theirs.sliding_window


def test_rows_that_cannot_be_estimated_are_left_out() -> None:
    names = {one.name for one in candidates(CATALOG, AUTO)}
    assert len(names) >= 13 and "gemma-3-270m" not in names
    bare = catalog.load_with(
        {"mine": {"repository": "me/mine", "quality": 99, "quants": {"Q4_K_M": {"size_gb": 1}}}}, ()
    )
    assert "mine" not in {one.name for one in candidates(bare, AUTO)}


def test_a_model_that_the_build_does_not_load_is_left_out() -> None:
    old = replace(AUTO, runtime_build="b9000")
    assert "deepseek-v4-flash" not in {one.name for one in candidates(CATALOG, old)}


def test_too_slow_is_not_suitable() -> None:
    shape = estimated_shape(
        CATALOG.models["llama-3.3-70b"], CATALOG.models["llama-3.3-70b"].quants["Q4_K_M"]
    )
    assert shape is not None
    on = machine("ryzen", gpus=[])
    assert not suits(on, CATALOG, Wanted(model="llama-3.3-70b"), shape)
    patient = Wanted(model="llama-3.3-70b", model_min_decode_tok_s=0.5)
    assert suits(on, CATALOG, patient, shape)

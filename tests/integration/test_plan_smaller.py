"""The quant that a refusal for memory names: never the refused one, and told in GiB as RAM is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from boxwright import catalog
from boxwright.plan import Plan, estimated_shape
from boxwright.shapes import ModelShape
from tests.unit.plans import machine, planned

CATALOG = catalog.load()


def grown(shape: ModelShape, factor: float) -> ModelShape:
    """A real header beside its estimate: so many times its bytes, in the experts."""
    more = int((factor - 1) * shape.file_bytes / len(shape.layers))
    layers = tuple(
        replace(one, expert_bytes=one.expert_bytes + more)
        if one.expert_bytes
        else replace(one, dense_bytes=one.dense_bytes + more)
        for one in shape.layers
    )
    return replace(shape, layers=layers, file_bytes=int(factor * shape.file_bytes))


def refused(name: str, quant: str, factor: float, ram_mib: int, **wishes: Any) -> Plan:
    """The plan, without cards, of a quant whose real tensors are `factor` times its estimate."""
    row = catalog.load_with(wishes.get("models_catalog", {}), ()).models[name]
    shape = estimated_shape(row, row.quants[quant])
    assert shape is not None
    on = machine("xeon", memory={"total_mib": ram_mib}, gpus=[])
    return planned(on, grown(shape, factor), model=name, model_quant=quant, **wishes)


def named(made: Plan) -> str | None:
    assert made.refusal is not None
    found = re.search(r"set model_quant to (\S+)", made.refusal.cure)
    return found[1] if found else None


@pytest.mark.parametrize("factor", [1.0, 1.05, 1.2])
@pytest.mark.parametrize(
    ("name", "quant"),
    [
        (name, quant)
        for name, row in CATALOG.models.items()
        for quant, files in row.quants.items()
        if estimated_shape(row, files) is not None and not row.fork
    ],
)
def test_what_is_named_is_by_estimate_less_than_what_was_refused(
    name: str, quant: str, factor: float
) -> None:
    quants = CATALOG.models[name].quants
    size_gb = quants[quant].size_gb
    assert size_gb is not None
    seen = 0
    for short_gib in (1, 2, 4, 8, 16, 32):
        # all but so much of the file, with 10 GiB beside it for what is no weights
        ram_mib = int(size_gb * factor * 1e9 / 2**20) + (10 - short_gib) * 1024
        if ram_mib < 6000:
            continue
        made = refused(name, quant, factor, ram_mib)
        if made.refusal is None:
            continue
        seen += 1
        other = named(made)
        assert other is None or (other != quant and (quants[other].size_gb or 0) < size_gb)
        assert not re.search(r"\d GB", made.refusal.sentence()), made.refusal.sentence()
    assert seen


@pytest.mark.parametrize(("factor", "ram_mib"), [(1.0, 60000), (1.05, 80000), (1.1, 82000)])
def test_the_only_quant_of_a_model_is_not_its_own_cure(factor: float, ram_mib: int) -> None:
    """73.0 GB are 69619 MiB, which would fit 80000; a twentieth more does not."""
    assert named(refused("glm-4.5-air", "Q4_K_M", factor, ram_mib)) is None


ROW = {
    "repository": "me/mine",
    "architecture": "llama",
    "parameters": 1_000_000_000,
    "default_quant": "Q8_0",
    "geometry": {
        "layers": 16,
        "hidden_size": 2048,
        "vocabulary": 32000,
        "kv_elements_k": 512,
        "kv_elements_v": 512,
        "tied": True,
    },
}


@pytest.mark.parametrize(
    ("sizes_gb", "ram_mib", "cure"),
    [
        # 10^9 bytes are 0.93 GiB; 73 of them 68.0, and 57 of them 53.1
        ({"Q8_0": 30.0, "Q4_K_M": 1.0}, 6000, "Q4_K_M (0.9 GiB, by estimate)"),
        ({"Q8_0": 90.0, "Q4_K_M": 73.0, "Q3_K_M": 57.0}, 80000, "Q4_K_M (68 GiB, by estimate)"),
        ({"Q8_0": 90.0, "Q4_K_M": 73.0, "Q3_K_M": 57.0}, 68000, "Q3_K_M (53 GiB, by estimate)"),
        ({"Q3_K_M": 57.0, "Q8_0": 90.0, "Q4_K_M": 73.0}, 80000, "Q4_K_M (68 GiB, by estimate)"),
    ],
)
def test_the_largest_that_fits_is_named_in_gib(
    sizes_gb: dict[str, float], ram_mib: int, cure: str
) -> None:
    quants = {quant: {"size_gb": size} for quant, size in sizes_gb.items()}
    rows = {"mine": {**ROW, "quants": quants}}
    made = refused("mine", "Q8_0", 1.0, ram_mib, models_catalog=rows)
    assert made.refusal is not None
    assert f"set model_quant to {cure}" in made.refusal.cure.split(", or "), made.refusal.cure


@pytest.mark.parametrize(
    ("ram_mib", "cure"), [(3000, "choose a smaller model"), (5000, "at most 1 GiB of weights")]
)
def test_weights_of_less_than_a_gib_are_another_model(ram_mib: int, cure: str) -> None:
    """Of 2 GB, 1907 MiB; "at most 0 GiB" would be no quant at all."""
    rows = {"mine": {**ROW, "quants": {"Q8_0": {"size_gb": 2.0}}}}
    made = refused("mine", "Q8_0", 1.0, ram_mib, models_catalog=rows)
    assert made.refusal is not None and cure in made.refusal.cure

"""Questions that nobody chose: known models in other sizes, quants and layouts, drawn by a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

from boxwright.gguf import read_shape
from boxwright.shapes import ModelShape
from tests.integration.fit_params import MeasureError, Tool
from tests.integration.memory_cases import UNQUANTISED, Case
from tests.integration.memory_truth import Answer
from tests.shapes import EVERY
from tests.shapes.changed import (
    ODD_KINDS,
    ODD_PARTS,
    OPTIONAL,
    PLAIN,
    RECIPES,
    cut,
    of_kind,
    quantised,
    silent,
)
from tests.shapes.parts import Model
from tests.shapes.resized import resized
from tests.unit.gguf_files import write

SIZES = [Fraction(one) for one in ("1/2", "3/4", "5/4", "3/2", "2")]
HEADS_KV = [Fraction(one) for one in ("1", "1", "1", "1/2", "2")]
VOCABULARIES = (32000, 49152, 102400, 151936, 200064, 262144)
PARALLEL = (1, 1, 1, 2, 3, 4, 8, 12)
UBATCHES = (1, 32, 256, 384, 512, 1000, 1024, 2048, 4096)
CONTEXTS = (300, 1000, 4096, 32768)
CACHES = ("f16", "q8_0", "q8_0", "bf16", "q5_1", "q4_0")
LARGEST_BATCH = 4096


def drawn(seed: int, count: int, each: int, one: Tool, directory: Path) -> Iterator[Answer]:
    """Answers about so many models, to so many questions for each, in the order of the seed.

    What the tool refuses (sizes that do not go together) is left out.
    """
    random = Random(seed)
    for _ in range(count):
        name = random.choice(sorted(EVERY))
        try:
            model = changed(random, EVERY[name]())
        except ValueError:  # a size that is no whole number
            continue
        path = directory / "model.gguf"
        write(path, model.architecture, model.keys, model.tensors)
        shape = read_shape([path])
        for _ in range(each):
            case = question(random, name, shape)
            arguments = [*case.arguments(shape), "-b", str(LARGEST_BATCH)]
            try:
                truth = one.measure(path, case.gpus, arguments)
            except MeasureError:
                break
            yield Answer(case, truth, case.planned(shape))


def changed(random: Random, model: Model) -> Model:
    """The model in other sizes, with other tensors, quantised otherwise; raises ValueError."""
    factors = {axis: random.choice(SIZES) for axis in "hqfwse" if random.random() < 0.3}
    factors["k"] = random.choice(HEADS_KV)
    if random.random() < 0.3:
        rows = int(model.keys["vocab_size"])
        factors["v"] = Fraction(random.choice(VOCABULARIES), rows)
    if any("attn_qkv" in name for name, _, _ in model.tensors):
        factors["k"] = factors.get("q", Fraction(1))
    model = resized(model, factors)
    if not _divide(model):
        raise ValueError("heads of keys do not divide those of queries")
    layers = int(model.keys["block_count"])
    if random.random() < 0.6:
        model = cut(model, random.randint(2, layers))
    for change in PLAIN.values():
        if random.random() < 0.06:
            model = change(model)
    if random.random() < 0.3:
        model = silent(model, random.choice(OPTIONAL))
    model = quantised(model, random.choice(sorted(RECIPES)))
    if random.random() < 0.4:
        model = of_kind(model, random.choice(ODD_PARTS), random.choice(ODD_KINDS))
    return model


def _divide(model: Model) -> bool:
    """Whether as many heads of queries share each head of keys."""
    heads, heads_kv = (
        found if isinstance(found := model.keys.get(f"attention.{key}", 0), list) else [found]
        for key in ("head_count", "head_count_kv")
    )
    return not any(kv and of_query % kv for of_query in heads for kv in heads_kv)


def question(random: Random, name: str, shape: ModelShape) -> Case:
    """A layout and sizes for a model."""
    gpus, layers = random.choice((0, 1, 1, 2, 2, 3, 4)), len(shape.layers)
    experts = "none"
    if shape.experts:
        experts = random.choice(("all", "half", "none", "some", str(random.randint(0, layers + 4))))
    case = Case(
        name,
        gpus,
        random.choice((*CONTEXTS, random.randint(4096, 1 << 18), random.randint(4096, 1 << 20))),
        random.choice(CACHES),
        random.choice(UBATCHES),
        experts,
        random.choice(PARALLEL),
        layers=random.choice((None, None, None, random.randint(1, layers + 2))),
        split=tuple(random.choice((1, 2, 3, 5, 8)) for _ in range(gpus * random.randint(0, 1))),
    )
    return replace(case, cache="f16") if name in UNQUANTISED else case

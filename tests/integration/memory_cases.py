"""What the planner's memory is compared on: layouts and sizes, and the planner's own figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from boxwright import catalog
from boxwright.machine import Gpu
from boxwright.plan import memory
from boxwright.plan.cards import UsedCard
from boxwright.plan.context import ContextSize
from boxwright.plan.layout import Layout, all_layers, first_layers
from boxwright.shapes import ModelShape
from tests.integration.fit_params import Row

BOUND_MIB, BOUND = 64, 0.02
# llama.cpp refuses them a quantised cache: heads of 100 elements, no flash attention
UNQUANTISED = ("bitnet-3b", "grok-1", "grok-2")
ARTICLE = ("qwen3.5-122b-a10b", "minimax-m2.7", "deepseek-v4-flash")


@dataclass(frozen=True)
class Case:
    """One question. `experts` in host RAM: "all", "half", "none", those of every third layer
    ("some") or of the first so many ("7");
    `layers` on GPUs if not all, `split` of the devices if not equal."""

    model: str
    gpus: int = 1
    context: int = 32768
    cache: str = "q8_0"
    ubatch: int = 512
    experts: str = "all"
    parallel: int = 1
    layers: int | None = None
    split: tuple[int, ...] = ()

    def on_host(self, shape: ModelShape) -> frozenset[int]:
        """The layers whose experts stay in host RAM."""
        count = len(shape.layers) if shape.experts and self.gpus else 0
        if self.experts == "some":
            return frozenset(range(0, count, 3))
        named = {"all": count, "half": count // 2, "none": 0}
        return first_layers(named[self.experts] if self.experts in named else int(self.experts))

    def arguments(self, shape: ModelShape) -> list[str]:
        """The tool's arguments for it."""
        args = ["-c", str(self.context), "-ub", str(self.ubatch), "-np", str(self.parallel)]
        args += ["-ctk", self.cache, "-ctv", self.cache]
        if not self.gpus:
            return args
        split = self.split or (1,) * self.gpus
        args += ["-ngl", "all" if self.layers is None else str(self.layers)]
        args += ["-ts", ",".join(map(str, split))]
        on_host = self.on_host(shape)
        if on_host and self.experts == "some":
            numbers = "|".join(map(str, sorted(on_host)))
            args += ["-ot", rf"blk\.({numbers})\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU"]
        elif on_host and self.experts == "all":
            args.append("-cmoe")
        elif on_host:
            args += ["-ncmoe", str(len(on_host))]
        return args

    def planned(self, shape: ModelShape) -> list[Row]:
        """The planner's figures, in the tool's order."""
        gpu_layers = all_layers(shape) if self.layers is None else self.layers
        layout = Layout(
            self.gpus,
            gpu_layers if self.gpus else 0,
            self.on_host(shape),
            tuple(map(float, self.split or (1,) * self.gpus)),
        )
        size = ContextSize(self.context, self.cache, self.ubatch, self.parallel)
        found = memory.compute(shape, layout, size, [_card()] * self.gpus, 1 << 20, 0)
        rows = [(one.model_mib, one.context_mib, one.compute_mib) for one in found.devices]
        return [*rows, (found.host.model_mib, found.host.context_mib, found.host.compute_mib)]


def _card() -> UsedCard:
    kind = catalog.load().gpu("10de:2bb1")
    fields: dict[str, Any] = {"pci": "0000:01:00.0", "id": "10de:2bb1", "class_": "0x030000"}
    return UsedCard(Gpu(**fields), kind, vram_mib=1 << 20, capability="12.0")


def excess_mib(truth: Iterable[Row], planned: Iterable[Row]) -> list[tuple[int, float]]:
    """Per device the error in MiB, and the share of the bound that it takes (1 is too much)."""
    found = []
    for true, plan in zip(truth, planned, strict=True):
        error = sum(plan) - sum(true)
        found.append((error, abs(error) / max(BOUND_MIB, BOUND * sum(true))))
    return found


def grid() -> list[Case]:
    """The article's models over everything: 192 cases."""
    return [
        Case(model, gpus, context, cache, ubatch, experts)
        for model, gpus, context, cache, ubatch, experts in product(
            ARTICLE, (1, 2), (8192, 32768, 131072, 262144), ("f16", "q8_0"), (512, 2048),
            ("all", "half"),
        )
    ]  # fmt: skip


def thin(cases: list[Case], step: int = 7) -> list[Case]:
    """Some of them, in which every value is met with every other."""
    return cases[::step]


def others(models: Iterable[str]) -> Iterator[Case]:
    """Two questions for each other model, changing from one to the next."""
    turns = (
        Case("", 2, 32768, "f16", 2048, "half"),
        Case("", 1, 131072, "q8_0", 2048, "all"),
        Case("", 2, 16384, "q8_0", 1024, "none", split=(3, 2)),
        Case("", 1, 65536, "f16", 512, "some", parallel=4),
        Case("", 3, 32768, "q8_0", 2048, "some"),
        Case("", 0, 8192, "f16", 512, "none"),
        Case("", 1, 32768, "q8_0", 2048, "none", layers=20),
    )
    for number, name in enumerate(models):
        for offset in (0, 3):
            turn = turns[(number + offset) % len(turns)]
            cache = "f16" if name in UNQUANTISED else turn.cache
            yield replace(turn, model=name, cache=cache)


def awkward() -> list[Case]:
    """Questions whose answers turn on single small tensors: which hole of memory is taken."""
    return [
        Case("granite-4-h-small", 2, 16384, "bf16", 2048, "half", layers=15),
        Case("granite-4-h-small", 1, 16384, "f16", 2048, "none", layers=30),
        Case("nemotron-3-nano", 4, 131072, "bf16", 512, "some", split=(3, 2, 1, 2)),
        Case("qwen3.5-35b-a3b", 2, 8192, "f16", 1024, "all", parallel=2),
    ]

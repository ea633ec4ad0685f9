"""The published speeds of benchmarks/speeds.yaml, as the planner's machines, shapes and layouts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from boxwright import catalog
from boxwright.catalog import SpeedConstants
from boxwright.machine import Machine, machine_from_json
from boxwright.plan.layout import Layout, all_layers, first_layers
from boxwright.plan.speed_decode import GpuSpeed, decode_seconds, host_speed
from boxwright.shapes import LayerShape, ModelShape

FILE = Path(__file__).parent / "speeds.yaml"
GIGA = 1e9


@dataclass(frozen=True)
class Point:
    """One measurement: `tok_s` of one stream. `article` marks those that calibrate nothing."""

    label: str
    machine: Machine
    shape: ModelShape
    layout: Layout
    cards: tuple[str, ...]
    tok_s: float
    article: bool
    source: str

    def gpus(self, constants: SpeedConstants) -> tuple[GpuSpeed, ...]:
        """Its cards, as the planner takes them."""
        known = catalog.load()
        gpus = []
        for device in self.cards:
            kind = known.gpu(f"10de:{device}")
            assert kind.card is not None and kind.card.bandwidth_gb_s is not None, device
            row = constants.gpu_row(kind.generation, kind.chip.compute_cap)
            assert row is not None, device
            gpus.append(GpuSpeed(kind.card.bandwidth_gb_s, row))
        return tuple(gpus)

    def parts(self, constants: SpeedConstants) -> dict[str, float]:
        """Seconds per token that the planner expects, by what they are spent on."""
        host = host_speed(self.machine, constants)
        return decode_seconds(constants, host, self.gpus(constants), self.shape, self.layout)

    def seconds(self, constants: SpeedConstants) -> float:
        """Seconds per token that the planner expects."""
        return sum(self.parts(constants).values())

    def error(self, constants: SpeedConstants) -> float:
        """How far the expected tok/s are from the measured: 0.1 is 10 % too fast."""
        return 1 / self.seconds(constants) / self.tok_s - 1


@cache
def points() -> tuple[Point, ...]:
    """All of them, in the order of the file."""
    return tuple(point for point, _ in rows("points"))


def rows(section: str) -> list[tuple[Point, dict[str, Any]]]:
    """The rows of a section of the file, as points, and as they are."""
    document = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    machines = {name: _machine(name, row) for name, row in document["hosts"].items()}
    shapes = {name: _shape(name, row) for name, row in document["models"].items()}
    return [(_point(row, machines, shapes), row) for row in document[section]]


def _point(
    row: dict[str, Any], machines: dict[str, Machine], shapes: dict[str, ModelShape]
) -> Point:
    shape, cards = shapes[row["model"]], tuple(row["gpus"])
    host, layout = row.get("host", "any"), row["layout"]
    return Point(
        label=f"{row['model']} on {host}{' + ' if cards else ''}{' '.join(cards)} ({layout})",
        machine=machines[host],
        shape=shape,
        layout=replace(_layout(layout, len(cards), shape), split=tuple(row.get("split", ()))),
        cards=cards,
        tok_s=row["tok_s"],
        article=row.get("article", False),
        source=row["source"],
    )


def _layout(word: str, devices: int, shape: ModelShape) -> Layout:
    if word == "cpu":
        return Layout(0, 0)
    on_host = {"gpu": 0, "cpu-moe": len(shape.layers)}.get(word)
    if on_host is None:
        on_host = int(word.removeprefix("ncmoe "))
    return Layout(devices, all_layers(shape), first_layers(on_host))


def _shape(name: str, row: dict[str, Any]) -> ModelShape:
    count, recurrent = row["layers"], row.get("recurrent", 0)
    compressed, experts_gb = row.get("compressed", False), row.get("expert_gb", 0)
    kv, windowed = row.get("kv", 512), row.get("every_other_windowed", False)
    every = count // (count - recurrent)
    attending = [not recurrent or number % every == every - 1 for number in range(count)]
    layers = tuple(
        LayerShape(
            dense_bytes=int(row["dense_gb"] * GIGA / count),
            expert_bytes=int(experts_gb * GIGA / count),
            kv_elements_k=kv if attends else 0,
            kv_elements_v=kv if attends and not compressed else 0,
            recurrent_bytes=0 if attends else 1,
            sliding_window=128 if compressed or number % 2 < windowed else None,
            norms=row.get("norms", 2),
            biases=row.get("biases", 0),
        )
        for number, attends in enumerate(attending)
    )
    output, heads = int(row["output_gb"] * GIGA), row.get("heads", (1, 1))
    return ModelShape(
        architecture=name,
        layers=layers,
        embedding_bytes=output,
        output_bytes=output,
        other_bytes=0,
        hidden_size=4096,
        vocabulary=128000,
        context_train=32768,
        experts=row.get("experts", 0),
        experts_used=row.get("used", 0),
        file_bytes=int((row["dense_gb"] + experts_gb) * GIGA) + 2 * output,
        parameters=int(row.get("parameters_b", 0) * GIGA),
        metadata={
            f"{name}.attention.head_count": heads[0],
            f"{name}.attention.head_count_kv": heads[1],
        },
    )


def _machine(name: str, row: dict[str, Any]) -> Machine:
    module = {"size_mib": 16384, "speed_mts": row["speed_mts"], "type": row["memory"]}
    return machine_from_json(
        {
            "schema": "boxwright.machine/1",
            "hostname": name,
            "os": {"id": "debian", "version_id": "13", "kernel": "6.12", "arch": "x86_64"},
            "cpu": {
                "model": row["cpu"],
                "sockets": row["sockets"],
                "cores": row["cores"],
                "threads": row["cores"],
            },
            "numa": [
                {"node": node, "cpus": str(node), "memory_mib": 65536}
                for node in range(row["sockets"])
            ],
            "memory": {
                "total_mib": 131072,
                "available_mib": 131072,
                "dimms": [module] * row["channels"],
            },
        }
    )

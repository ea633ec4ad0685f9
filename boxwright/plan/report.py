"""A plan as the JSON of schema `boxwright.plan/1` (design, section 3)."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

from boxwright.plan.results import HostMemory, MemoryPlan, ModelPlan, Plan


def as_json(plan: Plan) -> dict[str, Any]:
    """One host's entry of `hosts`: plain JSON types, every part present, null where not decided.

    `model.files` is their number; their names are beside it.
    """
    document = {
        "refusal": _plain(plan.refusal),
        "driver": _plain(plan.driver),
        "runtime": _plain(plan.runtime),
        "model": _model(plan.model) if plan.model else None,
        "placement": _plain(plan.placement),
        "memory": _memory(plan.memory) if plan.memory else None,
        "tuning": _plain(plan.tuning),
        "server": _plain(plan.server),
        "speed": _plain(plan.speed),
        "warnings": list(plan.warnings),
        "offers": list(plan.offers),
    }
    assert set(document) == set(Plan.__dataclass_fields__)
    return document


def _model(model: ModelPlan) -> dict[str, Any]:
    document: dict[str, Any] = _plain(model)
    document["names"] = [file["name"] for file in document["files"]]
    document["sha256"] = {file["name"]: file["sha256"] for file in document["files"]}
    document["files"] = len(document["files"])
    return document


def _memory(memory: MemoryPlan) -> dict[str, Any]:
    return {
        "devices": [{**_plain(d), "need_mib": d.need_mib} for d in memory.devices],
        "host": _host(memory.host),
    }


def _host(host: HostMemory) -> dict[str, Any]:
    return {**_plain(host), "need_mib": host.need_mib}


def _plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as dictionaries and lists; whole numbers without `.0`."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value

"""What llama-fit-params is asked, what it answers, and how that compares with the plan (pure).

The installed build measures a model's memory exactly from its header alone, on the very GPUs
(design, decision 5; reference/llama-cpp.md 3.3). It prints `<device> <model> <context> <compute>`
in MiB for each device and for `Host`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from boxwright.plan.results import DeviceMemory, HostMemory, MemoryPlan, Refusal

HOST = "Host"
TOLERANCE, TOLERANCE_MIB = 0.02, 64
ROW = re.compile(r"^(?P<name>\S+) (?P<model>\d+) (?P<context>\d+) (?P<compute>\d+)\s*$")
WITH_VALUE = frozenset(
    {
        "--batch-size", "--cache-type-k", "--cache-type-v", "--ctx-size", "--device",
        "--flash-attn", "--main-gpu", "--moe-cache-mib", "--n-cpu-moe", "--n-gpu-layers",
        "--override-tensor", "--parallel", "--split-mode", "--tensor-split", "--ubatch-size",
    }
)  # fmt: skip
ALONE = frozenset({"--cpu-moe", "--no-kv-offload", "--no-op-offload", "--swa-full"})
# what it counts is without repacked copies, as the plan counts
ALWAYS = ("--no-repack", "--fit-print", "on")


@dataclass(frozen=True)
class Measured:
    """What one device, or `Host`, needs, in MiB."""

    name: str
    model_mib: int
    context_mib: int
    compute_mib: int

    @property
    def sum_mib(self) -> int:
        """All that llama.cpp counts."""
        return self.model_mib + self.context_mib + self.compute_mib


def asked(args: Sequence[str]) -> tuple[str, ...]:
    """Of the server's arguments those that its memory depends on."""
    kept: list[str] = []
    for flag, value in zip(args, (*args[1:], ""), strict=True):
        if flag in WITH_VALUE:
            kept += [flag, value]
        elif flag in ALONE:
            kept.append(flag)
    return (*kept, *ALWAYS)


def digest_of(release: str, args: Sequence[str], sums: Iterable[str]) -> str:
    """What a measurement belongs to: this build, these arguments, this model's files."""
    text = json.dumps([release, list(asked(args)), list(sums)])
    return hashlib.sha256(text.encode()).hexdigest()


def measured(lines: Iterable[str]) -> tuple[Measured, ...]:
    """The rows of an answer; other lines are its log."""
    rows = (ROW.match(line) for line in lines)
    return tuple(
        Measured(row["name"], int(row["model"]), int(row["context"]), int(row["compute"]))
        for row in rows
        if row
    )


def judged(memory: MemoryPlan, rows: Sequence[Measured]) -> Refusal | None:
    """None if what was measured fits with all reserves, else what does not."""
    devices = [row for row in rows if row.name != HOST]
    host = next((row for row in rows if row.name == HOST), None)
    if host is None or len(devices) != len(memory.devices):
        named = ", ".join(row.name for row in devices) or "none"
        return Refusal(
            f"llama-fit-params counts {len(devices)} devices ({named}), the plan uses"
            f" {len(memory.devices)}",
            "look at `llama-server --list-devices`: it has to list just the cards of the plan",
        )
    for row, device in zip(devices, memory.devices, strict=True):
        need_mib = row.sum_mib + device.reserve.sum_mib
        if need_mib > device.total_mib:
            return _too_large(f"{row.name} ({device.pci})", need_mib, device.total_mib, "VRAM")
    need_mib = host.sum_mib + memory.host.need_mib - planned_mib(memory.host)
    if need_mib > memory.host.total_mib:
        return _too_large("the host", need_mib, memory.host.total_mib, "RAM")
    return None


def _too_large(where: str, need_mib: int, total_mib: int, what: str) -> Refusal:
    return Refusal(
        f"by llama-fit-params of the installed build {where} needs {need_mib} MiB of {what} with"
        f" its reserve, has {total_mib} MiB",
        "choose a smaller model_quant, server_context or server_ubatch, or another"
        " server_placement; nothing of the model was fetched",
    )


def planned_mib(part: DeviceMemory | HostMemory) -> int:
    """The plan's figure for what llama-fit-params counts."""
    return part.model_mib + part.context_mib + part.compute_mib


def deviations(memory: MemoryPlan, rows: Sequence[Measured]) -> tuple[str, ...]:
    """Sentences for the devices where the plan is off by more than 2 % and 64 MiB."""
    parts = {row.name: row for row in rows}
    names = [row.name for row in rows if row.name != HOST]
    planned = [*map(planned_mib, memory.devices), planned_mib(memory.host)]
    said = []
    for name, expected in zip([*names, HOST], planned, strict=True):
        found = parts[name].sum_mib
        if abs(found - expected) > max(TOLERANCE * found, TOLERANCE_MIB):
            said.append(f"{name} needs {found} MiB by llama-fit-params, planned were {expected}")
    return tuple(said)


def record_of(
    digest: str, release: str, model: str, memory: MemoryPlan, rows: Sequence[Measured], at: int
) -> str:
    """One line of the record file: estimate and truth of each device, in MiB."""
    planned = [planned_mib(device) for device in memory.devices] + [planned_mib(memory.host)]
    ordered = [row for row in rows if row.name != HOST] + [r for r in rows if r.name == HOST]
    document: dict[str, Any] = {
        "digest": digest,
        "release": release,
        "model": model,
        "at_epoch_s": at,
        "devices": [
            {**vars(row), "planned_mib": expected}
            for row, expected in zip(ordered, planned, strict=True)
        ],
    }
    return json.dumps(document) + "\n"

"""Machines, models and plans for the planner's tests: the article's boxes, changed part by part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from boxwright import catalog, plan
from boxwright.machine import Machine, machine_from_json
from boxwright.plan import Known, Plan, Wanted
from boxwright.plan.results import Speed
from boxwright.shapes import LayerShape, ModelShape

MACHINES = Path(__file__).resolve().parents[1] / "fixtures" / "machines"
HELP = Path(__file__).resolve().parents[1] / "fixtures" / "help"
MIB = 1024**2
PASCAL, AMPERE, BLACKWELL, KEPLER = "10de:1bb0", "10de:2204", "10de:2b85", "10de:102d"
UBUNTU: dict[str, Any] = {
    "id": "ubuntu", "version_id": "24.04", "kernel": "6.8.0-60-generic", "glibc": "2.39",
}  # fmt: skip
DEBIAN_13: dict[str, Any] = {
    "id": "debian", "version_id": "13", "kernel": "6.12.48+deb13-amd64", "glibc": "2.41",
}  # fmt: skip
DEBIAN_12: dict[str, Any] = {
    "id": "debian", "version_id": "12", "kernel": "6.1.0-40-amd64", "glibc": "2.36",
}  # fmt: skip
ROCKY_9: dict[str, Any] = {
    "id": "rocky", "version_id": "9.6", "kernel": "5.14.0-570.17.1.el9_6.x86_64", "glibc": "2.34",
}  # fmt: skip
ROCKY_10: dict[str, Any] = {
    "id": "rocky", "version_id": "10.2", "kernel": "6.12.0-124.8.1.el10_2.x86_64", "glibc": "2.39",
}  # fmt: skip
FEDORA: dict[str, Any] = {
    "id": "fedora", "version_id": "44", "kernel": "7.2.6-200.fc44.x86_64", "glibc": "2.43",
}  # fmt: skip
TURING, HOPPER, RUBIN, MAXWELL, VOLTA = (
    "10de:1e30", "10de:2331", "10de:3000", "10de:17f0", "10de:1db4",
)  # fmt: skip
AMD, INTEL, BMC = "1002:744c", "8086:56a0", "1a03:2000"


def document(name: str, **changes: Any) -> dict[str, Any]:
    """A recorded report with some parts replaced; mappings are merged into theirs."""
    found: dict[str, Any] = json.loads((MACHINES / f"{name}.json").read_text())
    for part, value in changes.items():
        old = found[part]
        merged = isinstance(old, dict) and isinstance(value, dict)
        found[part] = {**old, **value} if merged else value
    return found


def machine(name: str, **changes: Any) -> Machine:
    """The same, as the planner gets it."""
    return machine_from_json(document(name, **changes))


def gpu(pci: str, id: str, **more: Any) -> dict[str, Any]:
    """One card of a report, before any driver."""
    return {"pci": pci, "id": id, "class": "0x030000", "driver": "nouveau", **more}


def row(build: str, cuda: str | None, archs: list[str], glibc: str = "2.35") -> dict[str, Any]:
    """An asset row of a user."""
    name = f"mine-{build}-{cuda or 'cpu'}.tar.gz"
    cudart = f"cudart-{build}-{cuda}.tar.gz" if cuda else None
    return {
        "build": build, "asset": name, "cudart": cudart, "cuda": cuda, "archs": archs,
        "glibc": glibc, "arch": "x86_64",
    }  # fmt: skip


def layers(
    count: int, *, dense: int, experts: int = 0, kv: int = 0, largest: int = 0
) -> tuple[LayerShape, ...]:
    """Equal layers, in MiB of weights; `kv` elements each of K and V per token."""
    layer = LayerShape(
        dense_bytes=dense * MIB,
        expert_bytes=experts * MIB,
        largest_expert_tensor_bytes=largest * MIB,
        kv_elements_k=kv,
        kv_elements_v=kv,
    )
    return (layer,) * count


def tiny() -> ModelShape:
    """A dense model of 1 GiB that fits anywhere: 8 heads of 128, 4 of them cached."""
    hidden, kv, middle, vocabulary = 1024, 512, 18176, 32000
    block = {
        "attn_norm.weight": (hidden,),
        "attn_q.weight": (hidden, hidden),
        "attn_k.weight": (hidden, kv),
        "attn_v.weight": (hidden, kv),
        "attn_output.weight": (hidden, hidden),
        "ffn_norm.weight": (hidden,),
        "ffn_gate.weight": (hidden, middle),
        "ffn_up.weight": (hidden, middle),
        "ffn_down.weight": (middle, hidden),
    }
    return ModelShape(
        architecture="llama",
        layers=layers(16, dense=60, kv=512),
        embedding_bytes=32 * MIB,
        output_bytes=32 * MIB,
        other_bytes=0,
        hidden_size=hidden,
        vocabulary=vocabulary,
        context_train=131072,
        file_bytes=1024 * MIB,
        parameters=1_000_000_000,
        metadata={
            "llama.block_count": 16,
            "llama.attention.head_count": 8,
            "llama.attention.head_count_kv": 4,
        },
        blocks=(block,),
        tensors={
            "token_embd.weight": (hidden, vocabulary),
            "output_norm.weight": (hidden,),
            "output.weight": (hidden, vocabulary),
        },
    )


def minimax_m2() -> ModelShape:
    """MiniMax-M2 as reference/llama-cpp.md 4.4 and 4.5 measure it: Q8_0, experts Q4_K.

    62 layers, all full attention, 8 KV heads of 128; 256 experts of FFN 1536; 200064 tokens.
    """
    hidden, heads, kv, width, ffn, experts, vocabulary = 3072, 48, 8, 128, 1536, 256, 200064
    q8_0 = (2 * hidden * heads * width + 2 * hidden * kv * width) * 34 // 32
    f32 = 4 * (2 * hidden + heads * width + kv * width + hidden * experts + experts)
    tensor = hidden * ffn * experts * 144 // 256
    layer = LayerShape(
        dense_bytes=q8_0 + f32,
        expert_bytes=3 * tensor,
        largest_expert_tensor_bytes=tensor,
        kv_elements_k=kv * width,
        kv_elements_v=kv * width,
    )
    embedding = hidden * vocabulary * 34 // 32
    return ModelShape(
        architecture="minimax-m2",
        layers=(layer,) * 62,
        embedding_bytes=embedding,
        output_bytes=embedding,
        other_bytes=4 * hidden,
        hidden_size=hidden,
        vocabulary=vocabulary,
        context_train=196608,
        experts=experts,
        experts_used=8,
        file_bytes=62 * (layer.dense_bytes + layer.expert_bytes) + 2 * embedding,
        parameters=228_700_000_000,
    )


def qwen35_122b() -> ModelShape:
    """Qwen3.5-122B-A10B in the sizes of reference/llama-cpp.md 4.4 and 4.5.

    48 layers, every fourth full attention (2 KV heads of 256), the others recurrent. The dense
    part of a layer is what makes 5568 MiB of GPU weights with the output of 773 MiB.
    """
    tensor = 3072 * 1024 * 256 * 144 // 256
    embedding = 3072 * 248320 * 34 // 32
    dense = (5568 * MIB - embedding) // 48
    recurrent = (128 * 8192 + 3 * (8192 + 2 * 16 * 128)) * 4
    common = {
        "dense_bytes": dense,
        "expert_bytes": 3 * tensor,
        "largest_expert_tensor_bytes": tensor,
    }
    full = LayerShape(**common, kv_elements_k=512, kv_elements_v=512)
    linear = LayerShape(**common, recurrent_bytes=recurrent)
    return ModelShape(
        architecture="qwen35moe",
        layers=tuple(full if number % 4 == 3 else linear for number in range(48)),
        embedding_bytes=embedding,
        output_bytes=embedding,
        other_bytes=4 * 3072,
        hidden_size=3072,
        vocabulary=248320,
        context_train=262144,
        experts=256,
        experts_used=8,
        file_bytes=48 * (dense + 3 * tensor) + 2 * embedding,
        parameters=122_100_000_000,
    )


def deepseek_v4_flash() -> ModelShape:
    """DeepSeek-V4-Flash in the sizes of reference/llama-cpp.md 4.4 and 4.5 (experts MXFP4)."""
    tensor = 4096 * 2048 * 256 * 17 // 32
    embedding = 4096 * 129280 * 34 // 32
    layer = LayerShape(
        dense_bytes=(7107 * MIB - embedding) // 43,
        expert_bytes=3 * tensor,
        largest_expert_tensor_bytes=tensor,
        kv_elements_k=512,
        sliding_window=128,
    )
    return ModelShape(
        architecture="deepseek4",
        layers=(layer,) * 43,
        embedding_bytes=embedding,
        output_bytes=embedding,
        other_bytes=0,
        hidden_size=4096,
        vocabulary=129280,
        context_train=1048576,
        experts=256,
        experts_used=6,
        file_bytes=148_000_000_000,
    )


def flags(build: str) -> frozenset[str]:
    """The flags in the recorded `--help` of a build, read without the product's reader."""
    words: set[str] = set()
    for line in (HELP / f"{build}.txt").read_text().splitlines():
        if line.startswith("-"):
            words |= {word for word in line.replace(",", " ").split() if word.startswith("-")}
    return frozenset(words)


def planned(
    on: Machine | str = "xeon",
    shape: ModelShape | None = None,
    known: Mapping[str, Any] | None = None,
    rows: tuple[dict[str, Any], ...] = (),
    **wishes: Any,
) -> Plan:
    """The plan of a machine for a shape (a tiny one if none is given) with these wishes."""
    on = machine(on) if isinstance(on, str) else on
    wanted = Wanted(**{"runtime_asset_rows": rows, **wishes})
    knows = Known(shape=shape or tiny())
    return plan.make(
        on,
        catalog.load_with(wanted.models_catalog, wanted.runtime_asset_rows),
        wanted,
        replace(knows, **(known or {})),
    )


def speed_of(on: Machine | str, shape: ModelShape | None = None, **wishes: Any) -> Speed:
    """The speed in the plan of a machine, for Qwen3.5-122B if no shape is given."""
    made = planned(on, shape or qwen35_122b(), **wishes)
    assert made.speed is not None, made.warnings
    return made.speed


def plan_on(os: dict[str, Any], *ids: str, nvidia: Any = None, **wishes: Any) -> Plan:
    """A plan for these cards, in slots 01, 02, …; of VRAM that the user gives."""
    changes = {name: wishes.pop(name) for name in ("secure_boot",) if name in wishes}
    cards = [gpu(f"0000:{slot:02x}:00.0", id) for slot, id in enumerate(ids, 1)]
    on = machine("xeon", os=os, gpus=cards, nvidia=nvidia or {}, **changes)
    vram = {card["pci"]: 16384 for card in cards}
    return planned(on, **{"gpu_vram_mib": vram, **wishes})


def installed(version: str, flavour: str, loaded: str | None = None) -> dict[str, Any]:
    """The driver state of a report: a driver whose parts are of one version."""
    return {"installed": version, "userspace": version, "flavour": flavour, "loaded": loaded}


def refused(made: Plan) -> str:
    """The refusal's sentence; fails if there is none, or a half of it is missing."""
    assert made.refusal is not None, "not refused"
    assert len(made.refusal.reason) > 20 and len(made.refusal.cure) > 10
    return made.refusal.sentence()


def value_of(made: Plan, flag: str) -> str:
    """What follows a flag in the server's arguments."""
    assert made.server is not None, made.refusal
    return made.server.args[made.server.args.index(flag) + 1]

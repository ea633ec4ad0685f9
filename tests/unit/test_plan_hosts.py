"""The four hosts whole: the article's boxes, the same with rows as the lab has; and the JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import catalog, plan
from boxwright.machine import machine_from_json
from boxwright.plan import Known, Plan, Wanted
from tests.shapes.read import shape_of
from tests.unit.plans import (
    AMD,
    BLACKWELL,
    KEPLER,
    PASCAL,
    document,
    gpu,
    machine,
    planned,
    qwen35_122b,
    row,
    tiny,
)

ARCHS = ["61-virtual", "86-real", "120a-real"]
LAB_ROWS = tuple(
    row(build, cuda, ARCHS if cuda else [])
    for build in ("b10068", "b11669")
    for cuda in (None, "12.8", "13.4")
)
LAB_MODEL = {
    "tiny-moe": {
        "repository": "boxwright/tiny-moe-GGUF",
        "default_quant": "Q8_0",
        "quants": {"Q8_0": {"files": ["a-00001-of-00002.gguf", "a-00002-of-00002.gguf"]}},
        "sha256": {"a-00001-of-00002.gguf": "1" * 64},
        "size": {"a-00001-of-00002.gguf": 5},
    }
}


@pytest.mark.parametrize(
    ("name", "driver", "runtime"),
    [
        ("xeon", ("580", "proprietary", "ubuntu-archive"), "b11669-12.8-x86_64"),
        ("ryzen", ("620", "open", "nvidia-repository"), "b11669-13.4-x86_64"),
        ("pro6000", ("620", "open", "nvidia-repository"), "b11669-13.4-x86_64"),
        ("plain", None, "b11669-cpu-x86_64"),
    ],
)
@pytest.mark.parametrize("rows", [(), LAB_ROWS], ids=["upstream", "lab"])
def test_each_host_gets_what_its_facts_ask_for(
    name: str, driver: tuple[str, str, str] | None, runtime: str, rows: tuple[dict[str, Any], ...]
) -> None:
    made = planned(name, rows=rows)
    assert made.refusal is None
    found = made.driver and (made.driver.branch, made.driver.flavour, made.driver.source)
    assert found == driver
    assert made.runtime is not None and made.runtime.release == runtime
    assert made.driver is None or made.driver.reboot
    own = made.runtime.assets[0].startswith("mine-")
    assert own == bool(rows)


def test_a_user_s_model_is_planned_from_its_row() -> None:
    made = planned("ryzen", models_catalog=LAB_MODEL, model="tiny-moe")
    assert made.model is not None
    assert made.model.directory == "/srv/models/tiny-moe/Q8_0"
    assert [file.sha256 for file in made.model.files] == ["1" * 64, None]
    assert made.server is not None
    assert made.server.args[1] == "/srv/models/tiny-moe/Q8_0/a-00001-of-00002.gguf"


def test_after_the_reboot_the_plan_is_the_same_but_for_the_driver() -> None:
    """What is asked of the server must not move when the driver begins to answer."""
    before = planned("ryzen", qwen35_122b())
    cards = [
        gpu("0000:01:00.0", BLACKWELL, driver="nvidia", name="NVIDIA GeForce RTX 5090",
            vram_mib=32607, compute_cap="12.0", vram_used_mib=4, vram_used_by_service_mib=0,
            link_speed_gts=32.0, link_width=16)
    ]  # fmt: skip
    version = "620.36.01"
    nvidia = {"loaded": version, "installed": version, "userspace": version, "flavour": "open"}
    after = planned(machine("ryzen", gpus=cards, nvidia=nvidia), qwen35_122b())
    assert before.driver is not None and after.driver is not None
    assert (before.server, before.memory) == (after.server, after.memory)
    assert before.runtime is not None and after.runtime is not None
    assert before.runtime.release == after.runtime.release
    assert (after.driver.source, after.driver.reboot) == ("installed", False)
    assert after.driver.packages == before.driver.packages


def test_the_json_has_the_shape_of_the_design() -> None:
    made = planned("xeon", shape_of("qwen3.5-122b-a10b"), server_placement="cpu-moe")
    document = json.loads(json.dumps(plan.as_json(made)))
    assert set(document) == {item.name for item in fields(Plan)}
    assert document["refusal"] is None and document["warnings"] == []
    assert {"branch", "flavour", "source", "packages", "hold", "reboot"} <= set(document["driver"])
    assert {"kind", "build", "cuda", "architectures", "why"} <= set(document["runtime"])
    assert document["runtime"]["architectures"] == ["61-virtual"]
    assert document["model"]["files"] == 3 and document["model"]["size_mib"] > 60000
    assert document["placement"] == {
        "gpu_layers": "all", "cpu_moe": True, "n_cpu_moe": None, "tensor_split": [1, 1],
        "override_tensor": None, "moe_cache_mib": None, "host_expert_layers": 48,
        "expert_layers": 48,
    }  # fmt: skip
    first, second = document["memory"]["devices"]
    assert (first["pci"], second["pci"]) == ("0000:03:00.0", "0000:82:00.0")
    assert set(first["reserve"]) == {"cuda_context_mib", "op_offload_mib", "margin_mib"}
    assert {"model_mib", "compute_mib", "cache_mib", "reserve_mib", "total_mib"} <= set(
        document["memory"]["host"]
    )
    assert isinstance(document["server"]["args"], list)
    low, expected, high = document["speed"]["decode_tok_s"]
    assert 0 < low < expected < high
    assert document["speed"]["bound_by"]


def test_a_refused_plan_is_json_too() -> None:
    made = planned(machine("xeon", os={"id": "arch", "version_id": ""}))
    found = json.loads(json.dumps(plan.as_json(made)))
    assert set(found["refusal"]) == {"reason", "cure"}
    assert found["driver"] is None and found["memory"]["host"]["total_mib"] > 0


IDS = st.one_of(
    st.sampled_from([PASCAL, BLACKWELL, KEPLER, AMD, "10de:2204", "10de:1e30", "10de:3340"]),
    st.integers(0, 0xFFFF).map(lambda device: f"10de:{device:04x}"),
)
VERSIONS = st.sampled_from([None, "535.1.2", "550.163.01", "580.126.09", "620.36.01", "garbage"])
OSES = st.sampled_from(
    [("ubuntu", "22.04"), ("ubuntu", "24.04"), ("ubuntu", "26.04"), ("debian", "12"),
     ("debian", "13"), ("rocky", "9.8"), ("", "")]
)  # fmt: skip
CARDS = st.lists(
    st.tuples(IDS, st.sampled_from([None, "nouveau", "nvidia", "vfio-pci"]),
              st.sampled_from([None, 0, 8192, 97887])),
    max_size=4,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    cards=CARDS,
    os=OSES,
    kernel=st.sampled_from(["6.8.0-60-generic", "6.12.48+deb13-amd64", "7.3", "", "odd-kernel"]),
    installed=VERSIONS,
    userspace=VERSIONS,
    loaded=VERSIONS,
    flavour=st.sampled_from([None, "open", "proprietary", "other"]),
    secure_boot=st.sampled_from([None, False, True]),
    ram_mib=st.integers(0, 300000),
    cores=st.integers(0, 128),
)
def test_planning_is_total(
    cards: Any, os: Any, kernel: str, installed: Any, userspace: Any, loaded: Any,
    flavour: Any, secure_boot: Any, ram_mib: int, cores: int,
) -> None:  # fmt: skip
    """Any report that validates gives a plan or a refusal, and no plan breaks a driver's range."""
    report = document(
        "xeon",
        os={"id": os[0], "version_id": os[1], "kernel": kernel, "glibc": None},
        cpu={"cores": cores, "threads": cores, "sockets": min(cores, 1)},
        gpus=[
            gpu(f"0000:{slot:02x}:00.0", id, driver=driver, vram_mib=vram)
            for slot, (id, driver, vram) in enumerate(cards, 1)
        ],
        nvidia={"installed": installed, "userspace": userspace, "loaded": loaded,
                "flavour": flavour},
        memory={"total_mib": ram_mib, "dimms": []},
        secure_boot=secure_boot,
    )  # fmt: skip
    made = plan.make(machine_from_json(report), catalog.load(), Wanted(), Known(shape=tiny()))
    json.dumps(plan.as_json(made))
    if made.refusal is not None:
        assert made.refusal.reason and made.refusal.cure
    if made.driver is None:
        return
    for id, bound, _ in cards:
        device = int(id.split(":")[1], 16)
        if not id.startswith("10de") or bound == "vfio-pci":
            continue
        branch = int(made.driver.branch)
        assert device >= 0x1340
        if device < 0x1E00:
            assert (made.driver.flavour, branch <= 580) == ("proprietary", True)
        if device >= 0x2900:
            assert (made.driver.flavour, branch >= 570) == ("open", True)
    for name in made.driver.packages:
        assert name not in ("cuda-drivers", "nvidia-open", "nvidia-driver") and "compat" not in name

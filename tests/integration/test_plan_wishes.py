"""Placements that a user asks for, and wishes that contradict each other or the machine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plans import (
    PASCAL,
    gpu,
    machine,
    planned,
    qwen35_122b,
    refused,
    tiny,
    value_of,
)


def test_placement_on_the_processor_leaves_cards_alone() -> None:
    made = planned("xeon", server_placement="cpu")
    assert made.refusal is None and made.driver is None
    assert made.runtime is not None and made.runtime.cuda is None
    assert any("left alone" in warning for warning in made.warnings)
    none = planned("xeon", gpu_count=0)
    assert none.driver is None and none.refusal is None


def test_what_is_forced_is_done_as_asked() -> None:
    made = planned("xeon", qwen35_122b(), server_n_cpu_moe=47, server_tensor_split=(1.0, 3.0))
    assert made.refusal is None
    assert value_of(made, "--n-cpu-moe") == "47" and value_of(made, "--tensor-split") == "1,3"
    assert made.server is not None and "--cpu-moe" not in made.server.args
    forced = planned("pro6000", qwen35_122b(), server_placement="cpu-moe")
    assert forced.placement is not None and forced.placement.cpu_moe
    assert planned("ryzen", qwen35_122b(), server_placement="gpu").refusal is not None


def test_gpu_count_takes_the_first_cards_and_the_driver_still_serves_all() -> None:
    made = planned("xeon", gpu_count=1)
    assert made.memory is not None and made.server is not None
    assert [device.pci for device in made.memory.devices] == ["0000:03:00.0"]
    assert made.server.environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert "gpu_count" in refused(planned("xeon", gpu_count=3))


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"server_placement": "everywhere"}, "server_placement"),
        ({"server_tensor_split": (1.0, 1.0, 1.0)}, "server_tensor_split"),
        ({"server_tensor_split": (0.0, 0.0)}, "server_tensor_split"),
        ({"server_tensor_split": (-1.0, 2.0)}, "server_tensor_split"),
        ({"server_n_cpu_moe": 3, "server_placement": "cpu-moe"}, "server_n_cpu_moe"),
        ({"server_tensor_split": (float("nan"), 1.0)}, "server_tensor_split"),
        ({"server_tensor_split": (float("inf"), 1.0)}, "server_tensor_split"),
        ({"server_n_cpu_moe": -1}, "server_n_cpu_moe"),
        ({"server_n_cpu_moe": 3, "server_placement": "gpu"}, "server_n_cpu_moe"),
        ({"server_n_cpu_moe": 3, "server_placement": "cpu"}, "server_n_cpu_moe"),
    ],
)
def test_contradictory_wishes(wishes: dict[str, Any], named: str) -> None:
    assert named in refused(planned("xeon", qwen35_122b(), **wishes))


def test_without_cards_the_experts_of_all_layers_are_told_to_lie_in_host_ram() -> None:
    made = planned("plain", qwen35_122b())
    assert made.placement is not None
    assert (made.placement.gpu_layers, made.placement.host_expert_layers) == (0, 48)
    dense = planned("plain", tiny())
    assert dense.placement is not None and dense.placement.host_expert_layers == 0


@pytest.mark.parametrize(("name", "placement"), [("plain", "auto"), ("xeon", "gpu")])
def test_what_cures_an_n_cpu_moe_out_of_place_is_accepted(name: str, placement: str) -> None:
    """A host without cards cannot be told to set what is set."""
    wishes: dict[str, Any] = {"server_n_cpu_moe": 20, "server_placement": placement}
    clauses = refused(planned(name, qwen35_122b(), **wishes)).split("Cure: ")[1]
    assert ("set server_placement to auto" in clauses) == (placement != "auto")
    assert "leave server_n_cpu_moe unset" in clauses


@pytest.mark.parametrize(
    ("ids", "said"), [([PASCAL], "1 NVIDIA card is"), ([PASCAL] * 2, "2 NVIDIA cards are")]
)
def test_one_card_is_spoken_of_as_one(ids: list[str], said: str) -> None:
    cards = [gpu(f"0000:{slot:02x}:00.0", id) for slot, id in enumerate(ids, 1)]
    made = planned(machine("xeon", gpus=cards), server_placement="cpu")
    assert f"{said} left alone, as placement on the CPU asks." in made.warnings


def test_wishes_for_experts_that_a_dense_model_does_not_have() -> None:
    assert "no experts" in refused(planned("xeon", server_placement="cpu-moe"))
    assert "server_n_cpu_moe" in refused(planned("xeon", server_n_cpu_moe=1))
    assert "server_placement" in refused(planned("plain", server_placement="gpu"))


def test_more_layers_than_there_are_is_all_of_them_as_llama_cpp_takes_it() -> None:
    made = planned("xeon", qwen35_122b(), server_n_cpu_moe=99)
    every = planned("xeon", qwen35_122b(), server_placement="cpu-moe")
    assert made.refusal is None and made.memory == every.memory
    assert value_of(made, "--n-cpu-moe") == "99"

"""What decode takes in of host RAM: channels, sockets, cores, and modules that are not known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright import catalog
from boxwright.machine import Machine
from boxwright.plan.speed_decode import host_speed
from tests.unit.plans import machine, speed_of


@pytest.mark.parametrize("name", ["xeon", "ryzen"])
def test_the_limit_is_named(name: str) -> None:
    assert speed_of(name, server_placement="cpu-moe").bound_by == "host memory bandwidth"


def test_both_sockets_live_on_one_nodes_channels_and_the_link() -> None:
    """Remote reads of E5 v4: 30.6 GB/s with home snoop, 16.8 with source snoop (speed.yaml)."""
    constants, xeon = catalog.load().speed, machine("xeon")
    both, one = (host_speed(on, constants) for on in (xeon, with_one_socket(xeon)))
    assert 2 * 16.8 < both.gb_s < 2 * 30.6
    assert both.gb_s < one.gb_s < 76.8  # four channels of DDR4-2400
    epyc = {"model": "AMD EPYC 9654 96-Core Processor", "sockets": 2, "cores": 192, "threads": 384}
    wide = host_speed(machine("xeon", cpu=epyc), constants)
    assert wide.gb_s == pytest.approx(one.gb_s, rel=0.01)  # four xGMI are no limit for 77 GB/s


def with_one_socket(on: Machine) -> Machine:
    memory = replace(on.memory, dimms=on.memory.dimms[:4])
    return replace(on, cpu=replace(on.cpu, sockets=1, cores=20), memory=memory, numa=on.numa[:1])


@pytest.mark.parametrize(
    ("model", "cores", "speed_mts", "least", "most"),
    [
        # reads 62.9 GB/s (memtest86plus #557); decode takes in 84 to 91 % of reads (speed.yaml)
        ("AMD Ryzen 7 9700X 8-Core Processor", 8, 5600, 0.84 * 62.9, 0.91 * 62.9),
        # decode of a Ryzen 9 7900 47 to 58, a 7950X 58, a 9950X 59; an HX 370, of one die, 70
        ("AMD Ryzen 9 9950X 16-Core Processor", 16, 6000, 47, 59),
        ("AMD Ryzen AI 9 HX PRO 370 w/ Radeon 890M", 12, 5600, 66, 74),
        ("AMD Ryzen 7 9700X 8-Core Processor", 8, 3600, 46, 54),
    ],
)
def test_decode_does_not_take_in_all_of_fast_modules(
    model: str, cores: int, speed_mts: int, least: float, most: float
) -> None:
    dimms = [{"size_mib": 24576, "speed_mts": speed_mts, "type": "DDR5", "slot": f"DIMM_{c}1"}
             for c in "AB"]  # fmt: skip
    cpu = {"model": model, "cores": cores, "threads": 2 * cores}
    on = machine("ryzen", cpu=cpu, memory={"dimms": dimms})
    assert least < host_speed(on, catalog.load().speed).gb_s < most


def test_a_barrier_costs_more_the_more_threads_wait() -> None:
    """100 to 250 ns per core in a socket (speed.yaml); worse over a link."""
    constants, ryzen = catalog.load().speed, machine("ryzen")
    many = replace(ryzen, cpu=replace(ryzen.cpu, cores=48))
    two = replace(ryzen, cpu=replace(ryzen.cpu, cores=48, sockets=2))
    found = [host_speed(on, constants).barrier_us for on in (ryzen, many, two)]
    assert 16 * 0.1 < found[0] < 16 * 0.25 and found[1] == pytest.approx(3 * found[0])
    assert found[2] > found[1]


def test_few_cores_on_many_channels_bind() -> None:
    dimms = [{"size_mib": 65536, "speed_mts": 4800, "type": "DDR5", "slot": f"DIMM_{c}1"}
             for c in "ABCDEFGHIJKL"]  # fmt: skip
    genoa = {"model": "AMD EPYC 9124 16-Core Processor", "sockets": 1, "cores": 16, "threads": 32}
    numa = [{"node": 0, "cpus": "0-31", "memory_mib": 786432}]
    on = machine(
        "xeon", cpu=genoa, numa=numa, memory={"dimms": dimms, "total_mib": 786432}, gpus=[]
    )
    assert speed_of(on).bound_by == "processor cores"


def test_unknown_modules_widen_the_interval() -> None:
    known, unknown = speed_of("xeon"), speed_of(machine("xeon", memory={"dimms": []}))
    spread = [high / low for low, _, high in (known.decode_tok_s, unknown.decode_tok_s)]
    assert spread[1] > 1.5 * spread[0]
    assert known.decode_tok_s[1] == unknown.decode_tok_s[1]  # its processor's usual modules


def test_all_in_vram_needs_no_modules() -> None:
    assert speed_of(machine("pro6000", memory={"dimms": []})) == speed_of(
        machine("pro6000", memory={"dimms": []}, numa=[])
    )
    low, expected, _ = speed_of(machine("pro6000", memory={"dimms": []})).decode_tok_s
    assert low > 0.7 * expected


@settings(max_examples=30, deadline=None)
@given(speed_mts=st.integers(1600, 8000), faster=st.integers(1, 4000))
def test_faster_memory_is_never_slower(speed_mts: int, faster: int) -> None:
    def of(mts: int) -> tuple[float, float, float]:
        dimms = [{"size_mib": 49152, "speed_mts": mts}] * 4
        return speed_of(machine("ryzen", memory={"dimms": dimms})).decode_tok_s

    slow, fast = of(speed_mts), of(speed_mts + faster)
    assert all(one <= other for one, other in zip(slow, fast, strict=True))

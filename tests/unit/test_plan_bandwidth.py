"""Channels by the names that boards give their slots, and the GB/s that follow from them."""

from __future__ import annotations

from typing import Any

import pytest

from boxwright import catalog
from boxwright.machine import Dimm
from boxwright.plan import modules_digest
from boxwright.plan.bandwidth import HostBandwidth, channels_of, host_bandwidth, measured_gb_s
from boxwright.plan.speed_decode import host_speed
from tests.unit.plans import machine, planned, qwen35_122b


def bandwidth(name: str, **changes: Any) -> HostBandwidth:
    return host_bandwidth(machine(name, **changes), catalog.load().speed)


@pytest.mark.parametrize(
    ("slots", "channels"),
    [
        # two modules on one channel are one channel
        (["P0_Node0_Channel0_Dimm0 P1-DIMMA1", "P0_Node0_Channel0_Dimm1 P1-DIMMA2"], 1),
        (["P0_Node0_Channel0_Dimm0 DIMM_A1", "P0_Node0_Channel1_Dimm0 DIMM_B1"], 2),
        (["P0_Node0_Channel0_Dimm0", "P1_Node1_Channel0_Dimm0"], 2),
        (["Not Specified CPU1 DIMM A1", "Not Specified CPU1 DIMM A2", "CPU2 DIMM A1"], 2),
        (["NODE 1 CPU1_DIMM_A1", "NODE 1 CPU1_DIMM_A2", "NODE 1 CPU1_DIMM_B1"], 2),
        (["P1-DIMMA1", "P1-DIMMB1", "P1-DIMMC1", "P1-DIMMD1", "P2-DIMMA1", "P2-DIMMA2"], 5),
        (["DIMM_A1", "DIMM_A2", "DIMM_B1", "DIMM_B2"], 2),
        (["P0 CHANNEL A DIMM 0", "P0 CHANNEL A DIMM 1", "P0 CHANNEL B DIMM 1"], 2),
        (["BANK 0 ChannelA-DIMM0", "BANK 1 ChannelA-DIMM1", "BANK 2 ChannelB-DIMM0"], 2),
        (["BANK 0 Controller0-ChannelA-DIMM0", "BANK 0 Controller1-ChannelA-DIMM0"], 2),
        (["BANK 0 Controller0-DIMMA2", "BANK 0 Controller1-DIMMB2"], 2),
        (["DIMM_P0_A0", "DIMM_P0_A1", "DIMM_P1_A0"], 2),
        (["CPU1_A1", "CPU1_A2", "CPU1_B1", "CPU2_A1"], 3),
        (["NODE 0 CHAN A DIMM 0", "NODE 0 CHAN B DIMM 0"], 2),
        # boards that only number their slots, or letter their processors (Dell)
        (["A1", "A2", "B1", "B2"], None),
        (["Not Specified PROC 1 DIMM 1", "Not Specified PROC 1 DIMM 4"], None),
        (["DIMM1", "DIMM3"], None),
        (["A1_BANK0 A1_DIMM0", "A1_BANK1 A1_DIMM1"], None),
        (["DIMM_A1", "DIMM 2"], None),
        (["DIMM_A1", "DIMM_A2", "DIMM_A3", "DIMM_A4"], None),  # no channel has four
        (["", ""], None),
        ([], None),
    ],
)
def test_channels_by_the_names_of_slots(slots: list[str], channels: int | None) -> None:
    assert channels_of([Dimm(16384, 2400, "DDR4", slot or None) for slot in slots]) == channels


def modules(slots: list[str], speed_mts: int = 2400) -> dict[str, Any]:
    dimms = [{"size_mib": 16384, "speed_mts": speed_mts, "slot": slot} for slot in slots]
    return {"dimms": dimms}


def test_bandwidth_of_the_articles_boxes() -> None:
    """JEDEC: 8 bytes per transfer and channel: 2 x 4 of DDR4-2400, 2 of DDR5-3600."""
    xeon = bandwidth("xeon")
    assert (xeon.total_gb_s, xeon.nodes, xeon.channels, xeon.modules_known) == (153.6, 2, 8, True)
    ryzen = bandwidth("ryzen")  # four modules on two channels
    assert (ryzen.node_gb_s, ryzen.channels) == (57.6, 2)


def test_slots_that_tell_nothing_leave_it_to_the_processor() -> None:
    half = bandwidth("xeon", memory={"dimms": [{"size_mib": 65536, "speed_mts": 2400}] * 2})
    assert (half.node_gb_s, half.channels) == (19.2, 2)
    full = bandwidth("xeon", memory={"dimms": [{"size_mib": 8192, "speed_mts": 2400}] * 16})
    assert full.channels == 8
    assert bandwidth("xeon", memory={"dimms": []}).modules_known is False


def test_modules_on_one_socket_only() -> None:
    """Memory of a bought box is often not spread: then one node carries all of it."""
    numa = [{"node": 0, "cpus": "0-39", "memory_mib": 64000},
            {"node": 1, "cpus": "40-79", "memory_mib": 0}]  # fmt: skip
    found = bandwidth("xeon", numa=numa, memory=modules([f"P1-DIMM{c}1" for c in "ABCD"]))
    assert (found.node_gb_s, found.nodes) == (76.8, 1)


def test_two_modules_on_one_channel_are_no_faster_than_one() -> None:
    one = bandwidth("plain", memory=modules(["DIMM_A1"]))
    two = bandwidth("plain", memory=modules(["DIMM_A1", "DIMM_A2"]))
    both = bandwidth("plain", memory=modules(["DIMM_A1", "DIMM_B1"]))
    assert (one.total_gb_s, two.total_gb_s, both.total_gb_s) == (19.2, 19.2, 38.4)


def test_the_slowest_module_sets_the_speed() -> None:
    dimms = [
        {"size_mib": 16384, "speed_mts": 2400, "slot": "DIMM_A1"},
        {"size_mib": 16384, "speed_mts": 2133, "slot": "DIMM_B1"},
        {"size_mib": 16384, "speed_mts": None, "slot": "DIMM_C1"},
    ]
    assert bandwidth("plain", memory={"dimms": dimms}).total_gb_s == pytest.approx(3 * 2133 * 0.008)


def test_an_unknown_processor_has_the_channels_that_its_board_names() -> None:
    """A known one never has more than its own (reading a board's words may go wrong)."""
    slots = modules([f"DIMM_{letter}1" for letter in "ABCDEF"])
    assert bandwidth("plain", memory=slots).channels == 4
    assert bandwidth("plain", memory=slots, cpu={"model": "Nobody's 9000"}).channels == 6


def measured(read_gb_s: float, name: str = "ryzen", **memory: Any) -> dict[str, Any]:
    """Memory of a machine as `bench` left it."""
    digest = modules_digest(machine(name, memory=memory))
    return {**memory, "measured": {"read_gb_s": read_gb_s, "modules": digest}}


def test_what_was_read_counts_before_what_modules_promise() -> None:
    """llama.cpp #26484: decode reaches 84 to 91 % of what all cores were measured to read."""
    constants = catalog.load().speed
    found = host_speed(machine("ryzen", memory=measured(100.0, dimms=[])), constants)
    assert 84 <= found.gb_s <= 91 and found.modules_known


def test_what_was_read_of_other_memory_says_nothing() -> None:
    """The same size on fewer channels, faster modules, or other slots are other memory."""
    eight = modules([f"DIMM_{c}1" for c in "ABCDEFGH"])
    four = [{**one, "size_mib": 2 * one["size_mib"]} for one in eight["dimms"][:4]]
    faster = [{**one, "speed_mts": 2933} for one in eight["dimms"]]
    kept = measured(100.0, **eight)
    assert measured_gb_s(machine("ryzen", memory=kept)) == 100.0
    for others in (four, faster, eight["dimms"][1:]):
        other = machine("ryzen", memory={**kept, "dimms": others})
        assert measured_gb_s(other) is None


def test_memory_of_unknown_modules_is_the_same_by_its_size() -> None:
    """Another kernel may keep some MiB more of it."""
    kept = measured(100.0, dimms=[], total_mib=193069)
    assert measured_gb_s(machine("ryzen", memory={**kept, "total_mib": 193010})) == 100.0
    assert measured_gb_s(machine("ryzen", memory={**kept, "total_mib": 96000})) is None


def test_two_sockets_share_what_both_were_read_at() -> None:
    """One socket's channels feed both (boxwright/plan/speed_decode.py)."""
    both = machine("xeon", memory=measured(120.0, "xeon"))
    assert host_speed(both, catalog.load().speed).gb_s <= 60


def test_a_measurement_changes_the_speed_to_expect_and_no_layout() -> None:
    """A host that serves must not be laid out anew because it was measured."""
    slow = machine("ryzen", memory=measured(20.0))
    fast = machine("ryzen", memory=measured(300.0))
    plans = [planned(one, qwen35_122b()) for one in (slow, fast)]
    assert plans[0].placement == plans[1].placement and plans[0].server == plans[1].server
    speeds = [made.speed.decode_tok_s[1] for made in plans if made.speed]
    assert speeds[1] > 2 * speeds[0]

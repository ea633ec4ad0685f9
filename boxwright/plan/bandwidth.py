"""How fast host memory can be at most: modules, the channels they sit on, GB/s in theory.

Every channel carries 8 bytes per transfer (JEDEC DDR3 to DDR5), however many modules share it, and
a board runs all of them at the speed of the slowest. The firmware's names of slots tell channels
apart where they say so; boards that only number their slots leave it to the processor's name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from boxwright.catalog import ProcessorMemory, SpeedConstants
from boxwright.machine import Dimm, Machine
from boxwright.plan.hardware import modules_digest

BYTES_PER_TRANSFER = 8
MODULES_PER_CHANNEL = 3  # no board has more: then a letter is not a channel

# P0_Node0_Channel0_Dimm0, Controller0-ChannelA-DIMM0, P0 CHANNEL A, CPU1 DIMM A1, P1-DIMMA1,
# DIMM_A1, DIMM_P0_A0, CPU1_A1; a bare A1 is left out, for it is the processor that Dell letters
_PLACE = re.compile(r"(?<![A-Z])(P|PROC|CPU|SOCKET|NODE|CONTROLLER|MC)[ _-]?(\d+)")
_CHANNEL = re.compile(r"(?<![A-Z])CH(?:AN(?:NEL)?)?[ _-]?(\d+|[A-Z])(?![A-Z])")
_LETTER = re.compile(r"(?:DIMM|CPU\d+)[ _-]?(?:P\d+[ _-])?([A-Z])\d+(?![A-Z0-9])")


@dataclass(frozen=True)
class HostBandwidth:
    """Theoretical GB/s of one NUMA node, and whether the modules it rests on are known.

    `channels` are those that carry memory, of all sockets together.
    """

    node_gb_s: float
    nodes: int
    channels: int
    modules_known: bool

    @property
    def total_gb_s(self) -> float:
        """All nodes together."""
        return self.node_gb_s * self.nodes


def host_bandwidth(machine: Machine, constants: SpeedConstants) -> HostBandwidth:
    """From the fitted modules; without any, what the processor usually has."""
    family = next(one for one in constants.processors if re.search(one.pattern, machine.cpu.model))
    nodes = max(sum(1 for node in machine.numa if node.memory_mib), 1)
    speeds = [dimm.speed_mts for dimm in machine.memory.dimms if dimm.speed_mts]
    speed_mts = min(speeds) if speeds else family.speed_mts
    channels = _channels(machine, family)
    total_gb_s = channels * speed_mts * BYTES_PER_TRANSFER / 1000
    return HostBandwidth(total_gb_s / nodes, nodes, channels, bool(speeds))


def measured_gb_s(machine: Machine) -> float | None:
    """What all cores were once seen to read, in GB/s; None if never, or with other modules."""
    measured = machine.memory.measured
    if measured is None or measured.modules != modules_digest(machine):
        return None
    return measured.read_gb_s


def unmeasured(machine: Machine) -> Machine:
    """The machine without what was measured.

    By it layouts and models are chosen: no measurement, which differs a little each time, may have
    a host that serves change its layout or fetch another model.
    """
    return replace(machine, memory=replace(machine.memory, measured=None))


def _channels(machine: Machine, family: ProcessorMemory) -> int:
    """Channels with a module; what the slots say is only doubted where the processor has fewer."""
    sockets, modules = max(machine.cpu.sockets, 1), machine.memory.dimms
    told = channels_of(modules)
    if told is None:
        each = min(family.channels, max(len(modules) // sockets, 1)) if modules else family.channels
        return sockets * each
    # the empty pattern takes every processor, so it knows nothing of this one
    return min(told, sockets * family.channels) if family.pattern else told


def channels_of(modules: Sequence[Dimm]) -> int | None:
    """How many channels the modules sit on, by the names of their slots; None if those do not tell.

    Two modules on one channel count once.
    """
    places = Counter(_place(dimm.slot or "") for dimm in modules)
    if not places or None in places or max(places.values()) > MODULES_PER_CHANNEL:
        return None
    return len(places)


def _place(slot: str) -> tuple[str, ...] | None:
    """What names a module's channel: processor, node, controller and channel, as far as told."""
    slot = slot.upper()
    channel = _CHANNEL.search(slot) or _LETTER.search(slot)
    if channel is None:
        return None
    return (*(kind + number for kind, number in _PLACE.findall(slot)), channel[1])

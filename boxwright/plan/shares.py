"""Memory of a plan: what each device and the host hold, with what is kept free beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reserve:
    """VRAM that llama.cpp does not count in its own figures."""

    cuda_context_mib: int
    op_offload_mib: int
    margin_mib: int

    @property
    def sum_mib(self) -> int:
        """All of it."""
        return self.cuda_context_mib + self.op_offload_mib + self.margin_mib


@dataclass(frozen=True)
class DeviceMemory:
    """One GPU's share, in the order of the report's `gpus`."""

    pci: str
    model_mib: int
    context_mib: int
    compute_mib: int
    reserve: Reserve
    total_mib: int

    @property
    def need_mib(self) -> int:
        """What has to fit into `total_mib`."""
        return self.model_mib + self.context_mib + self.compute_mib + self.reserve.sum_mib


@dataclass(frozen=True)
class HostMemory:
    """The share of host RAM. `context_mib` is the KV cache of a host without a GPU.

    `checkpoints_mib` are copies of the state that cannot be cut (recurrent, sliding windows), which
    llama-server keeps wherever the context lies; `growth_mib` is how much `compute_mib` grows until
    the context is full, which is in a device's margin.
    """

    model_mib: int
    compute_mib: int
    cache_mib: int
    reserve_mib: int
    total_mib: int
    context_mib: int = 0
    checkpoints_mib: int = 0
    growth_mib: int = 0

    @property
    def need_mib(self) -> int:
        """What has to fit into `total_mib`."""
        kept = self.cache_mib + self.checkpoints_mib + self.growth_mib + self.reserve_mib
        return self.model_mib + self.context_mib + self.compute_mib + kept


@dataclass(frozen=True)
class MemoryPlan:
    """Memory by device, in the order of the report's `gpus`, and on the host."""

    devices: tuple[DeviceMemory, ...]
    host: HostMemory

    @property
    def devices_fit(self) -> bool:
        """Whether every device holds what is its own."""
        return all(device.need_mib <= device.total_mib for device in self.devices)

    @property
    def fits(self) -> bool:
        """Whether every device and the host hold what is theirs."""
        return self.host.need_mib <= self.host.total_mib and self.devices_fit

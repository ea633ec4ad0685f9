"""What planning answers: frozen dataclasses of schema `boxwright.plan/1`, and the refusal.

Every part of a plan is decided by its own module (`driver`, `runtime`, …) and joined in
`boxwright.plan`. All sizes are MiB unless the name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from boxwright.plan.shares import DeviceMemory, HostMemory, MemoryPlan, Reserve
from boxwright.plan.software import DriverPlan, RuntimePlan, SourceBuild, Tarball, ToolkitPlan

SCHEMA = "boxwright.plan/1"

__all__ = [
    "SCHEMA",
    "DeviceMemory",
    "DriverPlan",
    "HostMemory",
    "MemoryPlan",
    "ModelFile",
    "ModelPlan",
    "Placement",
    "Plan",
    "Refusal",
    "Reserve",
    "RuntimePlan",
    "ServerPlan",
    "SourceBuild",
    "Speed",
    "Tarball",
    "ToolkitPlan",
    "TuningPlan",
]


@dataclass(frozen=True)
class Refusal:
    """Why this host cannot be served: what was found and needed, and what to do about it."""

    reason: str
    cure: str

    def sentence(self) -> str:
        """Both halves as one line for a log."""
        return f"{self.reason}. Cure: {self.cure}."


@dataclass(frozen=True)
class ModelFile:
    """One file of a model; `sha256` and `size_bytes` None until resolved."""

    name: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class ModelPlan:
    """The model to serve; `directory` is where its files lie on the host."""

    name: str
    quant: str
    repository: str
    revision: str
    files: tuple[ModelFile, ...]
    directory: str
    size_mib: int | None


@dataclass(frozen=True)
class Placement:
    """Which weights lie where; the words are llama-server's own.

    `tensor_split` is in the order of PCI addresses, as CUDA counts the cards; `MemoryPlan.devices`
    are in the report's. Of `expert_layers` layers with experts those of `host_expert_layers` lie in
    host RAM.
    """

    gpu_layers: str | int
    cpu_moe: bool
    n_cpu_moe: int | None = None
    tensor_split: tuple[float, ...] | None = None
    override_tensor: str | None = None
    moe_cache_mib: int | None = None
    host_expert_layers: int = 0
    expert_layers: int = 0


@dataclass(frozen=True)
class TuningPlan:
    """Host settings. `sysctl` maps keys to values; only keys the kernel has are written.

    `load_mode`, `numa_policy` and `drop_caches` are what the profile asks of the service.
    """

    sysctl: dict[str, str]
    governor: str | None
    numa: str | None
    threads: int
    threads_batch: int
    load_mode: str = "mlock"
    numa_policy: str | None = None
    drop_caches: bool = False


@dataclass(frozen=True)
class ServerPlan:
    """How llama-server is started: arguments after the program name, and its environment."""

    args: tuple[str, ...]
    environment: dict[str, str]
    host: str
    port: int
    alias: str
    numa_policy: str | None = None
    drop_caches: bool = False


@dataclass(frozen=True)
class Speed:
    """Expected speeds as (low, expected, high), and what binds decode ("measured": nothing does).

    Decode is at a nearly empty context; `decode_at_depth_tok_s` is the expected one by tokens in
    the context. `ttft_s` is the expected time to the first token by tokens of the prompt; `power_w`
    is drawn from the wall under load, None where a card's TDP is not known.
    """

    decode_tok_s: tuple[float, float, float]
    prefill_tok_s: tuple[float, float, float]
    bound_by: str
    ttft_s: dict[int, float] = field(default_factory=dict)
    decode_at_depth_tok_s: dict[int, float] = field(default_factory=dict)
    power_w: int | None = None
    heat_btu_h: int | None = None


@dataclass(frozen=True)
class Plan:
    """Everything decided for one host. With `refusal` set nothing of it may be done.

    Parts that could not be computed before the refusal are None; `driver` is None on a host
    without an NVIDIA GPU. `offers` are sentences that begin with the option to set and its value,
    as "server_ubatch = 2048: ..."; each is meant alone, fits, and says what it brings and costs
    (`boxwright.plan.offers`).
    """

    refusal: Refusal | None = None
    driver: DriverPlan | None = None
    runtime: RuntimePlan | None = None
    model: ModelPlan | None = None
    placement: Placement | None = None
    memory: MemoryPlan | None = None
    tuning: TuningPlan | None = None
    server: ServerPlan | None = None
    speed: Speed | None = None
    warnings: tuple[str, ...] = field(default_factory=tuple)
    offers: tuple[str, ...] = field(default_factory=tuple)

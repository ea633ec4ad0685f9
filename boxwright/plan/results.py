"""What planning answers: frozen dataclasses of schema `boxwright.plan/1`, and the refusal.

Every part of a plan is decided by its own module (`driver`, `runtime`, …) and joined in
`boxwright.plan`. All sizes are MiB unless the name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SCHEMA = "boxwright.plan/1"


@dataclass(frozen=True)
class Refusal:
    """Why this host cannot be served: what was found and needed, and what to do about it."""

    reason: str
    cure: str

    def sentence(self) -> str:
        """Both halves as one line for a log."""
        return f"{self.reason}. Cure: {self.cure}."


@dataclass(frozen=True)
class DriverPlan:
    """The NVIDIA driver to have. `branch` "580", `flavour` "open" or "proprietary".

    `source` is "ubuntu-archive", "debian-archive", "nvidia-repository" or "installed" (keep).
    `packages` are installed without recommends, `hold` are held, `pin` are (package globs, version
    glob) of the apt preference; `repository` is the distribution folder in NVIDIA's repository
    ("debian13") or None; `headers` names the kernel header package for the report's kernel.
    `remove` are patterns of installed packages to remove first: those of a driver that does not
    suit. With "installed", `packages` and the rest are those of the source that has this branch.
    """

    branch: str
    flavour: str
    source: str
    packages: tuple[str, ...]
    hold: tuple[str, ...]
    reboot: bool
    pin_packages: tuple[str, ...] = ()
    pin_version: str | None = None
    repository: str | None = None
    components: tuple[str, ...] = ()
    headers: str | None = None
    remove: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class RuntimePlan:
    """The llama.cpp build to have. `cuda` None is a CPU build.

    `release` names its directory, `<build>-<cuda|cpu>-<arch>`; `assets` are the files of the
    upstream release it is made of, in unpacking order. `kind` is "release"; a build from source
    is refused for now.
    """

    kind: str
    build: str
    cuda: str | None
    architectures: tuple[str, ...]
    release: str
    assets: tuple[str, ...]
    why: str


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
    """Which weights lie where; the words are llama-server's own."""

    gpu_layers: str | int
    cpu_moe: bool
    n_cpu_moe: int | None = None
    tensor_split: tuple[float, ...] | None = None
    override_tensor: str | None = None


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
    """The share of host RAM. `context_mib` is the KV cache of a host without a GPU."""

    model_mib: int
    compute_mib: int
    cache_mib: int
    reserve_mib: int
    total_mib: int
    context_mib: int = 0

    @property
    def need_mib(self) -> int:
        """What has to fit into `total_mib`."""
        return (
            self.model_mib + self.context_mib + self.compute_mib + self.cache_mib + self.reserve_mib
        )


@dataclass(frozen=True)
class MemoryPlan:
    """Memory by device and on the host."""

    devices: tuple[DeviceMemory, ...]
    host: HostMemory


@dataclass(frozen=True)
class TuningPlan:
    """Host settings. `sysctl` maps keys to values; only keys the kernel has are written."""

    sysctl: dict[str, str]
    governor: str | None
    numa: str | None
    threads: int
    threads_batch: int


@dataclass(frozen=True)
class ServerPlan:
    """How llama-server is started: arguments after the program name, and its environment."""

    args: tuple[str, ...]
    environment: dict[str, str]
    host: str
    port: int
    alias: str


@dataclass(frozen=True)
class Speed:
    """Expected speeds as (low, expected, high), and what binds decode."""

    decode_tok_s: tuple[float, float, float]
    prefill_tok_s: tuple[float, float, float]
    bound_by: str


@dataclass(frozen=True)
class Plan:
    """Everything decided for one host. With `refusal` set nothing of it may be done.

    Parts that could not be computed before the refusal are None; `driver` is None on a host
    without an NVIDIA GPU.
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

"""What a probe reports of one machine: frozen dataclasses of schema `boxwright.machine/1`.

`None` means "not knowable now" (no driver yet, unreadable file), never a guess.
Fields are those of the design, section 3; names carry their units.
"""

from __future__ import annotations

from typing import Annotated, Any
from unicodedata import category

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

SCHEMA = "boxwright.machine/1"


def _printable(text: str) -> str:
    """A terminal obeys control characters, and these words are shown on other people's."""
    return "".join("\N{REPLACEMENT CHARACTER}" if category(one)[0] == "C" else one for one in text)


Count = Annotated[int, Field(ge=0)]
Words = Annotated[str, AfterValidator(_printable)]


class MachineError(ValueError):
    """A document that is not a machine report; the message names the first wrong field."""


@dataclass(frozen=True)
class Os:
    """The operating system as /etc/os-release and the kernel give it."""

    id: Words
    version_id: Words
    kernel: Words
    arch: Words
    glibc: Words | None = None
    codename: Words | None = None
    init: Words | None = None  # "systemd" where systemd is running as pid 1


@dataclass(frozen=True)
class Cpu:
    """Online processors: `cores` are physical cores, `threads` logical CPUs."""

    model: Words
    sockets: Count
    cores: Count
    threads: Count
    flags: tuple[str, ...] = ()
    performance_cores: Count | None = None  # on hybrid processors only


@dataclass(frozen=True)
class NumaNode:
    """One NUMA node directory; `cpus` is the kernel's list, such as `0-19,40-59`."""

    node: Count
    cpus: Words
    memory_mib: Count


@dataclass(frozen=True)
class Dimm:
    """One memory module that is fitted.

    `speed_mts` is what it runs at, else what it is rated for; `type` "DDR4"; `slot` the board's own
    words for the bank and the slot.
    """

    size_mib: Count
    speed_mts: Count | None = None
    type: Words | None = None
    slot: Words | None = None


@dataclass(frozen=True)
class MeasuredMemory:
    """What `bench` once read per second with all cores, and a digest of the modules it read."""

    read_gb_s: Annotated[float, Field(gt=0)]
    modules: Words


@dataclass(frozen=True)
class Memory:
    """Host RAM; `measured` is null until `bench` has run."""

    total_mib: Count
    available_mib: Count
    swap_mib: Count = 0
    dimms: tuple[Dimm, ...] = ()
    measured: MeasuredMemory | None = None


@dataclass(frozen=True)
class Gpu:
    """One display-class PCI function; name, VRAM and capability only once a driver answers."""

    pci: Words
    id: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}$")]
    subsystem: Words | None = None
    class_: Annotated[str, Field(alias="class")] = "0x030000"
    driver: Words | None = None
    numa_node: int | None = None
    link_speed_gts: Annotated[float, Field(ge=0)] | None = None
    link_width: Count | None = None
    power: Words | None = None  # D0 to D3cold; "suspended" by older kernels
    name: Words | None = None
    vram_mib: Count | None = None
    compute_cap: Words | None = None
    mig: bool | None = None  # cut into instances; null also where a card cannot be
    vram_used_mib: int | None = None  # by any process; null without a driver
    vram_used_by_service_mib: int | None = None  # of it, by our own service


@dataclass(frozen=True)
class Disk:
    """One mounted file system that can hold files."""

    mount: Words
    filesystem: Words
    size_mib: Count
    free_mib: Count
    read_only: bool = False


@dataclass(frozen=True)
class Nvidia:
    """NVIDIA driver state: version loaded in the kernel, version of the module on disk, flavour.

    `flavour` is "open" or "proprietary", of the installed module if there is one, else of the
    loaded one. `userspace` is the version of libnvidia-ml on disk.
    """

    loaded: Words | None = None
    installed: Words | None = None
    flavour: Words | None = None
    userspace: Words | None = None


@dataclass(frozen=True)
class Llama:
    """Our service: the build behind the `current` link, the unit's state, the model it serves."""

    build: Words | None = None
    service: Words = "absent"
    model: Words | None = None


@dataclass(frozen=True)
class Machine:
    """One machine, as the probe saw it."""

    hostname: Words
    os: Os
    cpu: Cpu
    memory: Memory
    numa: tuple[NumaNode, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    disks: tuple[Disk, ...] = ()
    secure_boot: bool | None = None
    nvidia: Nvidia = Field(default_factory=Nvidia)
    llama: Llama = Field(default_factory=Llama)
    boot_id: Words | None = None
    container: Words | None = None
    schema: str = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON types, by the names of the schema (`class`, not `class_`)."""
        return _ADAPTER.dump_python(self, mode="json", by_alias=True)  # type: ignore[no-any-return]


_ADAPTER: TypeAdapter[Machine] = TypeAdapter(Machine)


def machine_from_json(document: Any) -> Machine:
    """Validate a decoded JSON document into a Machine; raise MachineError otherwise."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise MachineError(f"not a machine report: its schema is not {SCHEMA}")
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MachineError(f"not a machine report: {where}: {first['msg']}") from error

"""What the catalog knows, as frozen dataclasses; every rule carries its source."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")


def _device_id(value: Any) -> Any:
    """A PCI device id from its four hexadecimal digits, as `"1bb0"`."""
    return int(value, 16) if isinstance(value, str) else value


DeviceId = Annotated[int, BeforeValidator(_device_id), Field(ge=0, le=0xFFFF)]
Flavour = Literal["open", "proprietary"]
SourceName = Literal["ubuntu-archive", "debian-archive", "nvidia-repository", "rpmfusion"]
Capability = Annotated[str, Field(pattern=r"^\d+\.\d$")]
Version = Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]


@dataclass(frozen=True, config=STRICT)
class ChipRange:
    """Device ids of one chip. `compute_cap` is None where the generation's own is not known yet."""

    first: DeviceId
    last: DeviceId
    chip: str
    generation: str
    compute_cap: Capability | None


@dataclass(frozen=True, config=STRICT)
class Card:
    """One card by its device id; None where a card is sold in several sizes or it is not known.

    `vram_mib` and `bandwidth_gb_s` are those of one GPU, `tdp_w` is the whole board's; `bus` is its
    slot and link ("PCIe 3.0 x16", "SXM2"); `notes` are worth knowing before buying.
    """

    id: DeviceId
    name: str
    bus: str | None = None
    vram_mib: int | None = None
    bandwidth_gb_s: float | None = None
    tdp_w: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, config=STRICT)
class ComputeCapability:
    """The CUDA toolkits that compile for a capability; `last_toolkit` None: the newest does."""

    capability: Capability
    first_toolkit: Version
    last_toolkit: Version | None
    source: str


@dataclass(frozen=True, config=STRICT)
class ListedId:
    """What pci.ids says of a device id. `display` is False for sound, USB, bridges and the like."""

    name: str
    display: bool


@dataclass(frozen=True, config=STRICT)
class CardRule:
    """Which driver takes a device id: branches from first to last, and kernel module flavours.

    `last_branch` None means every branch from the first on. `refusal` says why such a card cannot
    be used at all; it then has no flavours. `newest` marks ids that do not exist yet: which branch
    comes to serve them is not known, so they get the newest that is offered.
    """

    first: DeviceId
    last: DeviceId
    flavours: tuple[Flavour, ...]
    first_branch: int
    last_branch: int | None
    source: str
    refusal: str | None = None
    newest: bool = False


@dataclass(frozen=True, config=STRICT)
class Branch:
    """One driver branch. `end_of_life` is YYYY-MM or None; `cuda` is the toolkit of its time.

    `flavours` are those in which NVIDIA makes it: from R615 on there are open modules only.
    """

    branch: int
    kind: Literal["long-term", "production", "feature", "distribution"]
    end_of_life: str | None
    cuda: Version | None
    flavours: Annotated[tuple[Flavour, ...], Field(min_length=1)]
    source: str


@dataclass(frozen=True, config=STRICT)
class DriverPackages:
    """Packages of one flavour; `{branch}`, `{kernel}`, `{suffix}` (its flavour) are filled in.

    `hold` are those to be held, which may include dependencies; with dnf they are specs of its
    versionlock plugin, none where the names carry the branch. `signed` replaces `install` where
    Secure Boot is on and the distribution signs its modules (empty: it does not); nothing is held
    then. `module_stream` is the stream of a dnf module that keeps the branch.
    """

    install: tuple[str, ...]
    hold: tuple[str, ...]
    signed: tuple[str, ...] = ()
    first_branch: int = 0
    last_branch: int | None = None
    module_stream: str | None = None


@dataclass(frozen=True, config=STRICT)
class SigningKey:
    """The key a host signs the modules with that it builds: where it lies, what makes it."""

    path: str
    create: str


@dataclass(frozen=True, config=STRICT)
class DriverSource:
    """Where a distribution gets drivers: its archive, NVIDIA's repository for it, or RPM Fusion.

    `branches` are those it carries, `why` what a person should know of it. `kernel_last` is the
    newest kernel (major.minor) its modules were built with; None: any. `build` makes the module on
    the host, signed with `key`. `prerequisites` are packages that come first, with a slash files
    below RPM Fusion's address; `enable` are ids of repositories that the distribution brings
    switched off.
    """

    name: SourceName
    branches: tuple[int, ...]
    packages: dict[Flavour, DriverPackages]
    pin_packages: tuple[str, ...]
    why: str
    source: str
    key: SigningKey
    build: Literal["dkms", "akmods"] = "dkms"
    repository: str | None = None
    components: tuple[str, ...] = ()
    prerequisites: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    kernel_last: Version | None = None


@dataclass(frozen=True, config=STRICT)
class Distribution:
    """One release of a distribution; `sources` in order of preference.

    `version_id` "9" also stands for "9.6", `aliases` are ids of rebuilds with the same packages.
    `headers` names a kernel's header package by `{kernel}`, or by `{release}` and `{variant}`
    where packages of other kernels have that in their name (`kernel-rt-devel-…`). `headers_meta` is
    the one that follows new kernels, by `{suffix}` too; with `flavours` only those kernels have it.
    A kernel newer than `ga_kernel` has `hwe_suffix` at a flavour that is in `hwe_flavours`.
    """

    id: str
    version_id: str
    glibc: Version
    ga_kernel: Version
    headers: str
    headers_meta: str
    sources: tuple[DriverSource, ...]
    codename: str | None = None
    manager: Literal["apt", "dnf"] = "apt"
    aliases: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()
    hwe_flavours: tuple[str, ...] = ()
    hwe_suffix: str = ""

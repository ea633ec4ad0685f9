"""The driver that is there already: kept if it suits and is whole, else what of it has to go."""

from __future__ import annotations

from dataclasses import replace

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Machine
from boxwright.plan.cards import UsedCard
from boxwright.plan.driver_packages import packages_of, plan_from
from boxwright.plan.driver_sources import Need
from boxwright.plan.results import DriverPlan
from boxwright.plan.versions import at_least, branch_of, rpm_kernel
from boxwright.plan.wanted import Wanted

# Patterns of packages that carry a driver, for replacing one that does not suit. Narrower than
# `nvidia-*`: a container toolkit is not ours to remove.
REPLACED = {
    "apt": (
        "nvidia-driver-[0-9]*", "nvidia-driver", "nvidia-driver-cuda", "nvidia-driver-bin",
        "nvidia-driver-libs", "nvidia-kernel-*", "nvidia-dkms-*", "nvidia-headless-*",
        "nvidia-utils-*", "nvidia-compute-utils-*", "nvidia-open*", "nvidia-smi",
        "nvidia-persistenced", "nvidia-modprobe", "nvidia-firmware-*", "firmware-nvidia-gsp",
        "libnvidia-[a-z]*-[0-9]*", "libnvidia-ml1", "libnvidia-cfg1*", "libcuda1",
        "xserver-xorg-video-nvidia-[0-9]*",
        "linux-modules-nvidia-*", "linux-objects-nvidia-*", "cuda-drivers*",
        "nvidia-driver-pinning-*",
    ),
    "dnf": (
        "kmod-nvidia*", "akmod-nvidia*", "dkms-nvidia", "nvidia-driver*", "nvidia-kmod*",
        "nvidia-open*", "nvidia-persistenced", "nvidia-modprobe", "nvidia-xconfig",
        "nvidia-settings", "libnvidia-cfg*", "libnvidia-fbc*", "libnvidia-gpucomp*",
        "libnvidia-ml*", "xorg-x11-drv-nvidia*", "xorg-x11-nvidia*", "cuda-drivers*",
    ),
}  # fmt: skip
# A module built here would be taken before the signed one of the same branch.
BUILT_HERE = ("nvidia-dkms-*",)


def kept(
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    need: Need,
    cards: tuple[UsedCard, ...],
) -> DriverPlan | None:
    """The driver that is installed, if it serves the cards and its parts fit each other.

    One on which no build that can be had here runs is not kept. Under Secure Boot only a loaded
    one is: nobody can tell whether another's signature is accepted.
    """
    nvidia = machine.nvidia
    present = _present(machine)
    branch = branch_of(present)
    if present is None or branch is None or nvidia.flavour is None:
        return None
    if not need.takes(branch, nvidia.flavour) or not _whole(machine, present, cards):
        return None
    if not any(
        at_least(present, catalog.toolkits[version].sass_driver)
        for version in _toolkits(distribution, catalog)
    ):
        return None
    loaded = nvidia.loaded == present
    if machine.secure_boot and not loaded and not wanted.driver_key_enrolled:
        return None
    made = _of_its_source(machine, distribution, wanted, branch, nvidia.flavour)
    if nvidia.installed is None:
        made = replace(made, packages=(), build="host")
    elif machine.secure_boot:
        # whether the module was signed here or by the distribution is not known: nothing to add
        made = replace(made, packages=())
    # the module is built: an upgrade may have taken the running kernel's headers away since
    release, _ = rpm_kernel(machine.os.kernel)
    nouveau = any(card.gpu.driver == "nouveau" for card in cards)
    return replace(
        made,
        source="installed",
        packages=tuple(name for name in made.packages if release not in name),
        headers=None,
        hold_else=_parts(distribution.manager),
        reboot=not loaded or (nouveau and nvidia.installed is not None),
        why=f"driver {present} ({nvidia.flavour}) is installed and serves every card",
    )


def _toolkits(distribution: Distribution, catalog: Catalog) -> set[str]:
    """The CUDA toolkits of builds that this distribution can have: released, or compiled there."""
    rows = (*catalog.user_assets, *catalog.llama.assets)
    host = catalog.build_host(distribution)
    offered = {offer.version for offer in host.toolkits} if host else set()
    return (offered | {row.cuda for row in rows if row.cuda}) & set(catalog.toolkits)


def _whole(machine: Machine, present: str, cards: tuple[UsedCard, ...]) -> bool:
    """Whether the libraries are of the module's version.

    None is "not known" (design, 3): then a module of this version that is loaded, or a card that
    the driver has told of, has to speak for them.
    """
    nvidia = machine.nvidia
    if nvidia.userspace is not None:
        return nvidia.userspace == present
    answered = any(card.gpu.vram_mib or card.gpu.compute_cap for card in cards)
    return answered or nvidia.loaded == nvidia.installed


def _present(machine: Machine) -> str | None:
    """The module on the disk; in a container, which has none, the one that its host loaded."""
    if machine.nvidia.installed is None and machine.container is not None:
        return machine.nvidia.loaded
    return machine.nvidia.installed


def _of_its_source(
    machine: Machine, distribution: Distribution, wanted: Wanted, branch: int, flavour: str
) -> DriverPlan:
    """The plan of the source that has this branch; where none has, patterns of what to hold."""
    for source in distribution.sources:
        packages = packages_of(source, branch, flavour)
        if packages and wanted.driver_source in (None, source.name):
            return plan_from(machine, distribution, source, branch, flavour, packages)
    manager = distribution.manager
    return DriverPlan(str(branch), flavour, "installed", (), (), False, manager=manager)


def _parts(manager: str) -> tuple[str, ...]:
    """Patterns of a driver's packages, whoever made them.

    Signed modules are left out: a new kernel has to bring its own.
    """
    return tuple(name for name in REPLACED[manager] if not name.startswith("linux-"))


def replacing(machine: Machine, made: DriverPlan) -> DriverPlan:
    """The plan with what has to be removed first: parts of another branch or flavour."""
    nvidia = machine.nvidia
    on_disk = [v for v in (nvidia.installed, nvidia.userspace) if v is not None]
    if not on_disk and nvidia.loaded is None:
        return made
    remove: tuple[str, ...] = BUILT_HERE if made.build == "signed" else ()
    other = any(str(branch_of(version)) != made.branch for version in on_disk)
    # without a module on the disk the flavour is that of the loaded one, which a reboot takes away
    if other or (nvidia.installed is not None and nvidia.flavour not in (None, made.flavour)):
        remove = REPLACED[made.manager]
    return replace(made, remove=remove, why=f"{_found(machine)}; {made.why}")


def _found(machine: Machine) -> str:
    nvidia = machine.nvidia
    parts = {
        "module": nvidia.installed, "loaded": nvidia.loaded, "libraries": nvidia.userspace,
    }  # fmt: skip
    listed = ", ".join(f"{part} {version or 'none'}" for part, version in parts.items())
    return f"found {listed}{f' ({nvidia.flavour})' if nvidia.flavour else ''}"


def warnings(machine: Machine, driver: DriverPlan | None) -> tuple[str, ...]:
    """What a person should know of the driver's plan although it is no reason to refuse."""
    if driver is None or machine.container is None or driver.build == "host":
        return ()
    return (
        f"This is a container ({machine.container}), which shares its host's kernel: the driver's"
        " module has to be installed and loaded there.",
    )

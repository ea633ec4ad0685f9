"""Where a driver comes from: the distribution's archive or NVIDIA's repository, and its packages.

Rules and names are rows of catalog/drivers.yaml (reference/nvidia.md, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.catalog import Catalog, Distribution, DriverPackages, DriverSource
from boxwright.machine import Machine
from boxwright.plan.cards import UsedCard
from boxwright.plan.results import DriverPlan, Refusal
from boxwright.plan.versions import kernel_newer, kernel_suffix
from boxwright.plan.wanted import Wanted

KINDS = ("long-term", "production", "feature", "distribution")

# Patterns of packages that carry a driver, for replacing one that does not suit. Narrower than
# `nvidia-*`: a container toolkit is not ours to remove.
REPLACED = (
    "nvidia-driver-[0-9]*", "nvidia-driver", "nvidia-driver-cuda", "nvidia-driver-bin",
    "nvidia-driver-libs", "nvidia-kernel-*", "nvidia-dkms-*", "nvidia-headless-*",
    "nvidia-utils-*", "nvidia-compute-utils-*", "nvidia-open*", "nvidia-smi",
    "nvidia-persistenced", "nvidia-modprobe", "nvidia-firmware-*", "firmware-nvidia-gsp",
    "libnvidia-compute*", "libnvidia-ml1", "libnvidia-cfg1*", "libcuda1",
    "linux-modules-nvidia-*", "linux-objects-nvidia-*", "cuda-drivers*",
    "nvidia-driver-pinning-*",
)  # fmt: skip


@dataclass(frozen=True)
class Need:
    """What the cards of one machine accept together. `last` None: every branch from `first` on."""

    first: int
    last: int | None
    flavours: tuple[str, ...]

    def takes(self, branch: int | None, flavour: str | None) -> bool:
        """Whether a driver of this branch and flavour drives all of the cards."""
        if branch is None or flavour not in self.flavours or branch < self.first:
            return False
        return self.last is None or branch <= self.last


def from_source(
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    need: Need,
    cards: tuple[UsedCard, ...],
) -> DriverPlan | Refusal:
    """The driver to install; a refusal where the distribution offers none that serves the cards."""
    name = f"{distribution.id} {distribution.version_id}"
    sources = [s for s in distribution.sources if wanted.driver_source in (None, s.name)]
    if not sources:
        offered = ", ".join(source.name for source in distribution.sources)
        return Refusal(
            f"driver_source is {wanted.driver_source!r}, {name} has {offered}",
            "leave driver_source unset",
        )
    too_new: DriverSource | None = None
    for source in sources:
        found = _best(source, catalog, need)
        if found is None:
            continue
        branch, flavour, packages = found
        if source.kernel_last and kernel_newer(machine.os.kernel, source.kernel_last):
            too_new = source
            continue
        if machine.secure_boot and not packages.signed:
            return _unsigned(name, source)
        return plan_from(machine, distribution, source, branch, flavour, packages)
    if too_new is not None:
        return Refusal(
            f"kernel {machine.os.kernel} is newer than {too_new.kernel_last}, the newest that the"
            f" driver of {too_new.name} is made for",
            f"boot the kernel of {name} itself ({too_new.kernel_last})",
        )
    labels = ", ".join(card.label for card in cards)
    upper = "or newer" if need.last is None else f"to {need.last}"
    return Refusal(
        f"{name} has no driver of branch {need.first} {upper} ({' or '.join(need.flavours)}),"
        f" which {labels} needs",
        "use another distribution (README lists them), or install a driver by hand: it is kept",
    )


def _best(
    source: DriverSource, catalog: Catalog, need: Need
) -> tuple[int, str, DriverPackages] | None:
    """The newest long-term branch that serves the cards, else the newest of another kind."""
    offered = sorted(
        source.branches,
        key=lambda branch: (KINDS.index(catalog.branches[branch].kind), -branch),
    )
    for branch in offered:
        for flavour in need.flavours:
            packages = packages_of(source, branch, flavour)
            if packages and need.takes(branch, flavour):
                return branch, flavour, packages
    return None


def packages_of(source: DriverSource, branch: int, flavour: str) -> DriverPackages | None:
    """The packages of a branch in a flavour, if this source has them."""
    found = next((p for name, p in source.packages.items() if name == flavour), None)
    if found is None or branch not in source.branches or branch < found.first_branch:
        return None
    return found if found.last_branch is None or branch <= found.last_branch else None


def plan_from(
    machine: Machine,
    distribution: Distribution,
    source: DriverSource,
    branch: int,
    flavour: str,
    packages: DriverPackages,
) -> DriverPlan:
    """The plan to install these packages for this machine's kernel."""
    kernel = machine.os.kernel
    suffix = kernel_suffix(kernel)
    if kernel_newer(kernel, distribution.ga_kernel):
        suffix += distribution.hwe_suffix
    signed = bool(machine.secure_boot and packages.signed)

    def filled(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.format(branch=branch, suffix=suffix) for name in names)

    headers = () if signed else (distribution.headers_meta.format(suffix=suffix),)
    return DriverPlan(
        branch=str(branch),
        flavour=flavour,
        source=source.name,
        packages=(*filled(packages.signed if signed else packages.install), *headers),
        hold=filled((*packages.hold, *(packages.signed[:1] if signed else ()))),
        reboot=True,
        pin_packages=filled(source.pin_packages),
        pin_version=f"{branch}.*",
        repository=source.repository,
        components=source.components,
        headers=None if signed else distribution.headers.format(kernel=kernel),
        why=f"branch {branch}, {flavour}: {source.source}",
    )


def _unsigned(name: str, source: DriverSource) -> Refusal:
    return Refusal(
        f"Secure Boot is on, and the modules of {source.name} for {name} are built on the machine:"
        " their key has to be enrolled at its console first",
        "enrol the key (mokutil --import /var/lib/dkms/mok.pub, then confirm at the next boot on"
        " the console) and install the driver by hand, or switch Secure Boot off",
    )

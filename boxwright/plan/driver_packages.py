"""The plan that a source's row gives for one machine: packages by branch, flavour and kernel."""

from __future__ import annotations

from boxwright.catalog import Distribution, DriverPackages, DriverSource
from boxwright.machine import Machine
from boxwright.plan.results import DriverPlan
from boxwright.plan.versions import kernel_newer, kernel_suffix, rpm_kernel


def packages_of(source: DriverSource, branch: int, flavour: str) -> DriverPackages | None:
    """The packages of a branch in a flavour, if this source has them."""
    found = next((p for name, p in source.packages.items() if name == flavour), None)
    if found is None or branch not in source.branches or branch < found.first_branch:
        return None
    return found if found.last_branch is None or branch <= found.last_branch else None


def is_signed(machine: Machine, distribution: Distribution, packages: DriverPackages) -> bool:
    """Whether the distribution's own signed modules are taken: Secure Boot is on, it has some."""
    return bool(machine.secure_boot and packages.signed and _has_meta(machine, distribution))


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
    release, variant = rpm_kernel(kernel)
    words = {
        "branch": branch, "kernel": kernel, "release": release, "variant": variant,
        "suffix": _suffix(machine, distribution),
    }  # fmt: skip

    def filled(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.format(**words) for name in names)

    signed = is_signed(machine, distribution, packages)
    follows = not signed and _has_meta(machine, distribution)
    stream = packages.module_stream
    return DriverPlan(
        branch=str(branch),
        flavour=flavour,
        source=source.name,
        packages=(
            *filled(packages.signed if signed else packages.install),
            *(filled((distribution.headers_meta,)) if follows else ()),
        ),
        # a new kernel brings a signed module, which needs the driver's parts of its own version
        hold=() if signed else filled(packages.hold),
        reboot=True,
        pin_packages=filled(source.pin_packages),
        pin_version=f"{branch}.*",
        repository=source.repository,
        components=source.components,
        headers=None if signed else distribution.headers.format(**words),
        why=f"branch {branch}, {flavour}: {source.why}",
        manager=distribution.manager,
        build="signed" if signed else source.build,
        module_stream=stream.format(**words) if stream else None,
        prerequisites=source.prerequisites,
        enable=source.enable,
    )


def _suffix(machine: Machine, distribution: Distribution) -> str:
    """The kernel's flavour as meta-packages spell it: `generic`, `generic-hwe-24.04`, `amd64`."""
    suffix = kernel_suffix(machine.os.kernel)
    newer = kernel_newer(machine.os.kernel, distribution.ga_kernel)
    return (
        suffix + distribution.hwe_suffix
        if newer and suffix in distribution.hwe_flavours
        else suffix
    )


def _has_meta(machine: Machine, distribution: Distribution) -> bool:
    """Whether packages follow kernels of this flavour; a kernel from elsewhere has none."""
    return not distribution.flavours or kernel_suffix(machine.os.kernel) in distribution.flavours

"""Kernels of a host's distribution: their flavour and headers, by its row in the catalog."""

from __future__ import annotations

from boxwright import catalog
from boxwright.operation.planning import machine_of_host
from boxwright.plan.versions import kernel_suffix, rpm_kernel


def newest_of_flavour(kernel: str, found: tuple[str, ...]) -> str:
    """The last of some kernels, oldest first, of one kernel's flavour; itself where none is."""
    alike = [name for name in found if kernel_suffix(name) == kernel_suffix(kernel)]
    return alike[-1] if alike else kernel


def headers_of_kernel(kernel: str) -> str | None:
    """The package that has a kernel's headers; None on a distribution that is not known."""
    system = machine_of_host().os
    row = catalog.load().distribution(system.id, system.version_id)
    if row is None:
        return None
    release, variant = rpm_kernel(kernel)
    return row.headers.format(kernel=kernel, release=release, variant=variant)

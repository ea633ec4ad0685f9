"""The key of NVIDIA's repository, for a driver that comes from there."""

from __future__ import annotations

from boxwright.operation import Commands, have_nvidia_key, noop, operation, refuse
from roles.driver.planned import NVIDIA_REPOSITORY, planned_driver

KEYS = {
    "apt": "/etc/apt/keyrings/boxwright-nvidia.asc",
    "dnf": "/etc/pki/rpm-gpg/RPM-GPG-KEY-boxwright-nvidia",
}


@operation
def trust_key() -> Commands:
    """Have the repository's key, its fingerprint checked before it is used."""
    driver = yield from planned_driver()
    if driver is None:
        return
    if driver.source != NVIDIA_REPOSITORY or driver.repository is None:
        noop("the driver does not come from NVIDIA's repository")
        return
    failed = yield from have_nvidia_key(driver.repository, KEYS[driver.manager])
    if failed is not None:
        yield from refuse(failed)

"""NVIDIA's package repositories: where they are, and by which key each is signed.

Shared, because preflight asks whether the key answers before the driver role fetches it.
"""

from __future__ import annotations

from boxwright.operation.options import option
from boxwright.plan.results import Refusal

REPOSITORY_URL = "https://developer.download.nvidia.com/compute/cuda/repos"
REDIST_URL = "https://developer.download.nvidia.com/compute/cuda/redist"
# Sources: reference/nvidia.md, sections 3 and 3.1; fedora44's key is the one that NVIDIA's own file
# for that repository names. Of newer keys only the end is published, in their file name; who knows
# the whole fingerprint sets it.
OLD_DEB_KEY = "EB693B3035CD5710E231E123A4B469963BF863CC"
OLD_RPM_KEY = "610C7B14E068A878070DA4E99CD0A493D42D0685"
FINGERPRINTS = {
    "debian13": "8793F200",
    "ubuntu2604": "8793F200",
    "debian12": OLD_DEB_KEY,
    "ubuntu2204": OLD_DEB_KEY,
    "ubuntu2404": OLD_DEB_KEY,
    "rhel9": OLD_RPM_KEY,
    "rhel10": "CDF6BA43",
    "fedora44": "73CD9B30",
}
KEY_ID_DIGITS = 8
FINGERPRINT_DIGITS = 40  # of a key of version 4, which all of these are
# the file that makes a repository a source of packages for the driver, by package manager
SOURCES = {
    "apt": "/etc/apt/sources.list.d/boxwright-nvidia.sources",
    "dnf": "/etc/yum.repos.d/boxwright-nvidia.repo",
}


def nvidia_repository_url() -> str:
    """Where NVIDIA's repositories are, or a mirror of them, without a closing slash."""
    return str(option("driver_nvidia_repository_url", REPOSITORY_URL)).rstrip("/")


def nvidia_redist_url() -> str:
    """Where NVIDIA's toolkits lie as tarballs, or a mirror of it, without a closing slash."""
    return str(option("runtime_cuda_redist_url", REDIST_URL)).rstrip("/")


def nvidia_fingerprint(repository: str) -> str | Refusal:
    """The fingerprint, or its end, that the key of a repository such as "debian13" must have.

    A key with a given end can be made in minutes, so an end is enough only where https tells that
    it is NVIDIA's server, or the mirror that was meant, which hands the key out.
    """
    known = {**FINGERPRINTS, **option("driver_nvidia_fingerprints", {})}
    digits = str(known.get(repository, "")).replace(" ", "").upper()
    told = nvidia_repository_url().lower().startswith("https://")
    needed = KEY_ID_DIGITS if told else FINGERPRINT_DIGITS
    if len(digits) >= needed and not digits.strip("0123456789ABCDEF"):
        return digits
    why = "" if told else f", since {nvidia_repository_url()} is not https"
    return Refusal(
        f"no key fingerprint is known for NVIDIA's repository {repository} (found {digits!r},"
        f" needed {needed} hexadecimal digits or more{why})",
        f'set driver_nvidia_fingerprints = {{"{repository}": "…"}} to the fingerprint NVIDIA'
        " publishes",
    )


def nvidia_key_urls(repository: str, fingerprint: str) -> tuple[str, str]:
    """Where the key may be: NVIDIA wrote the key's id in capitals for some, not for others."""
    key_id = fingerprint[-KEY_ID_DIGITS:]
    base = f"{nvidia_repository_url()}/{repository}/x86_64"
    return f"{base}/{key_id.upper()}.pub", f"{base}/{key_id.lower()}.pub"

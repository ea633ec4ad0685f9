"""Debian's own driver packages, as stand-ins; Debian calls the module nvidia-current.

Source: reference/nvidia.md, section 3.7 (bookworm 535, trixie 550, nothing newer).
"""

from __future__ import annotations

from tests.lab.world import driver_files as files
from tests.lab.world.debs import Deb

BLACKLIST = "/etc/modprobe.d/nvidia-blacklists-nouveau.conf"
MODULE = "nvidia-current"


def release(upstream: str, packaging: str) -> dict[str, list[Deb]]:
    """The packages of one Debian release, by archive component."""
    version = f"{upstream}-{packaging}"
    same = f"(= {version})"
    return {
        "contrib": [_persistenced(upstream, version), _kernel(upstream, version, "open")],
        "non-free": [
            _kernel(upstream, version, "proprietary"),
            _support(version),
            Deb(
                "nvidia-smi",
                version,
                "NVIDIA System Management Interface",
                section="non-free/utils",
                relations={"Depends": f"libnvidia-ml1 {same}"},
                files=files.nvidia_smi(),
            ),
            _library("libnvidia-ml1", "nvidia-ml", upstream, version),
            _library("libcuda1", "cuda", upstream, version),
        ],
        "non-free-firmware": [
            Deb(
                "firmware-nvidia-gsp",
                version,
                "NVIDIA GSP firmware",
                section="non-free-firmware/kernel",
            )
        ],
    }


def _library(name: str, library: str, upstream: str, version: str) -> Deb:
    return Deb(
        name,
        version,
        f"NVIDIA {library} library",
        section="non-free/libs",
        relations={"Multi-Arch": "same"},
        files=files.library(library, upstream),
        scripts={"postinst": "ldconfig"},
    )


def _support(version: str) -> Deb:
    return Deb(
        "nvidia-kernel-support",
        version,
        "NVIDIA binary kernel module support files",
        section="non-free/misc",
        relations={"Provides": "nvidia-kernel-support--v1"},
        files=files.blacklist(BLACKLIST),
        conffiles=(BLACKLIST,),
    )


def _kernel(upstream: str, version: str, flavour: str) -> Deb:
    section, name = (
        ("contrib", "nvidia-kernel-open-dkms")
        if flavour == "open"
        else ("non-free", "nvidia-kernel-dkms")
    )
    needs = ", ".join(
        ("dkms", f"nvidia-kernel-support (= {version})", f"firmware-nvidia-gsp (= {version})")
    )
    return Deb(
        name,
        version,
        f"NVIDIA kernel module DKMS source ({flavour})",
        section=f"{section}/kernel",
        relations={
            "Depends": needs,
            "Provides": "nvidia-kernel-dkms-any",
            "Conflicts": "nvidia-kernel-dkms-any",
        },
        files=files.module_source(MODULE, upstream, flavour),
        scripts=files.dkms_scripts(MODULE, upstream),
    )


def _persistenced(upstream: str, version: str) -> Deb:
    return Deb(
        "nvidia-persistenced",
        version,
        "daemon to maintain persistent software state in the NVIDIA driver",
        section="contrib/utils",
        relations={"Depends": "libnvidia-ml1"},
        files=files.persistenced(),
        scripts=files.PERSISTENCED_SCRIPTS,
    )

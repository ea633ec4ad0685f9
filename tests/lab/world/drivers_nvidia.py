"""NVIDIA's own repositories for Debian 12 and 13, as stand-ins: many versions, and pins for them.

Source: reference/nvidia.md, sections 1 and 3 (no 580 for Debian 13; the proprietary module ends
with 610; `cuda-drivers` is empty from 615 on; a pin package holds a branch).
"""

from __future__ import annotations

from tests.lab.world import driver_files as files
from tests.lab.world.debs import Deb, text

LAST_PROPRIETARY_BRANCH = 610
VERSIONS = {
    "debian12": ("580.126.09", "580.178.04", "595.45.04", "595.58.03", "610.43.02", "615.71.09",
                 "620.36.01"),
    "debian13": ("595.45.04", "595.58.03", "610.43.02", "615.71.09", "620.22.03", "620.36.01"),
}  # fmt: skip
PINNED_BRANCHES = {"debian12": (580, 595, 620), "debian13": (595, 620)}
BLACKLIST = "/usr/lib/modprobe.d/nvidia.conf"


def repository(release: str) -> list[Deb]:
    """Every package of NVIDIA's repository for this Debian release."""
    packages = [pin(branch) for branch in PINNED_BRANCHES[release]]
    for upstream in VERSIONS[release]:
        packages += driver(upstream)
    return packages


def pin(branch: int) -> Deb:
    """The package that holds a host on one branch, by an apt preference."""
    name = f"nvidia-driver-pinning-{branch}"
    path = f"/etc/apt/preferences.d/{name}"
    globs = "*nvidia* libcuda1* cuda-drivers* cuda-compat*"
    return Deb(
        name,
        f"{branch}-1",
        f"Pin NVIDIA driver packages to branch {branch}",
        architecture="all",
        files={path: text(f"Package: {globs}\nPin: version {branch}.*\nPin-Priority: 1000\n")},
        conffiles=(path,),
        relations={
            "Provides": "nvidia-driver-pinning",
            "Conflicts": "nvidia-driver-pinning",
            "Replaces": "nvidia-driver-pinning",
        },
    )


def driver(upstream: str) -> list[Deb]:
    """The packages of one driver version."""
    version = f"{upstream}-1"
    proprietary = int(upstream.partition(".")[0]) <= LAST_PROPRIETARY_BRANCH
    kernels = [_kernel(upstream, version, "open")]
    if proprietary:
        kernels.append(_kernel(upstream, version, "proprietary"))
    return [*kernels, *_userland(upstream, version), *_metas(version, proprietary)]


def _kernel(upstream: str, version: str, flavour: str) -> Deb:
    name = "nvidia-kernel-open-dkms" if flavour == "open" else "nvidia-kernel-dkms"
    needs = f"dkms, nvidia-kernel-support (= {version}), firmware-nvidia-gsp (= {version})"
    return Deb(
        name,
        version,
        f"NVIDIA kernel module DKMS source ({flavour})",
        section="kernel",
        relations={
            "Depends": needs,
            "Provides": f"nvidia-kernel-any (= {upstream})",
            "Conflicts": "nvidia-kernel-any, nvidia-kernel-dkms-any",
            "Replaces": "nvidia-kernel-any, nvidia-kernel-dkms-any",
        },
        files=files.module_source("nvidia", upstream, flavour),
        scripts=files.dkms_scripts("nvidia", upstream),
    )


def _userland(upstream: str, version: str) -> list[Deb]:
    same = f"(= {version})"
    return [
        Deb("nvidia-kernel-support", version, "NVIDIA kernel module support files",
            files=files.blacklist(BLACKLIST)),
        Deb("firmware-nvidia-gsp", version, "NVIDIA GSP firmware"),
        Deb("nvidia-modprobe", version, "Load the NVIDIA kernel driver and create device files"),
        Deb("libnvidia-ml1", version, "NVIDIA Management Library",
            files=files.library("nvidia-ml", upstream), scripts={"postinst": "ldconfig"}),
        Deb("libcuda1", version, "NVIDIA CUDA Driver Library",
            files=files.library("cuda", upstream), scripts={"postinst": "ldconfig"}),
        Deb("nvidia-persistenced", version, "NVIDIA Persistence Daemon",
            relations={"Depends": f"libnvidia-ml1 {same}"},
            files=files.persistenced(), scripts=files.PERSISTENCED_SCRIPTS),
        Deb("nvidia-driver-cuda", version, "NVIDIA driver, compute-only",
            relations={
                "Depends": f"libcuda1 {same}, libnvidia-ml1 {same}, nvidia-persistenced {same},"
                f" nvidia-modprobe {same}, nvidia-kernel-any (= {upstream})"
            },
            files=files.nvidia_smi()),
    ]  # fmt: skip


def _metas(version: str, proprietary: bool) -> list[Deb]:
    same = f"(= {version})"
    closed = {"Depends": f"nvidia-driver-cuda {same}, nvidia-kernel-dkms {same}"}
    open_ = {"Depends": f"nvidia-driver-cuda {same}, nvidia-kernel-open-dkms {same}"}
    branch = version.partition(".")[0]
    metas = [
        Deb("cuda-drivers", version, "NVIDIA CUDA driver meta-package",
            relations=closed if proprietary else {}),
        Deb("nvidia-open", version, "NVIDIA open driver meta-package", relations=open_),
    ]  # fmt: skip
    if branch == "580":
        metas += [
            Deb("cuda-drivers-580", version, "NVIDIA CUDA driver meta-package, branch 580",
                relations=closed),
            Deb("nvidia-open-580", version, "NVIDIA open driver meta-package, branch 580",
                relations=open_),
        ]  # fmt: skip
    return metas

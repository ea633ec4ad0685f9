"""Ubuntu's driver packages for servers, as stand-ins: names and relations as in its archive.

Source: reference/nvidia.md, section 3.7 (the archive carries every branch, closed and open).
"""

from __future__ import annotations

from tests.lab.world import driver_files as files
from tests.lab.world.debs import Content, Deb
from tests.lab.world.signing import signed

PACKAGING = "0ubuntu0.24.04.1"
KERNEL = "6.8.0-60-generic"
PERSISTENCED_OPTIONS = " --user nvidia-persistenced --no-persistence-mode --verbose"
"""Of the unit in Ubuntu's package (reference/nvidia.md, section 5)."""
MODPROBE_FILE = "/usr/lib/modprobe.d/nvidia-graphics-drivers.conf"


def server_branch(upstream: str) -> list[Deb]:
    """Every package of one `-server` branch, in both kernel module flavours."""
    branch = upstream.partition(".")[0]
    version = f"{upstream}-{PACKAGING}"
    series = f"{branch}-server"
    packages = _common(series, upstream, version)
    for flavour, suffix in (("proprietary", series), ("open", f"{series}-open")):
        packages += _flavour(series, suffix, flavour, upstream, version)
    return packages


def _package(name: str, version: str, title: str, **extra: object) -> Deb:
    return Deb(name, version, title, section="restricted/misc", **extra)  # type: ignore[arg-type]


def _exclusive(virtual: str) -> dict[str, str]:
    """Relations of packages of which a host has one: all provide the same name."""
    return {"Provides": virtual, "Conflicts": virtual, "Replaces": virtual}


def _common(series: str, upstream: str, version: str) -> list[Deb]:
    compute = f"libnvidia-compute-{series}"
    return [
        _package(
            compute,
            version,
            "NVIDIA libcompute package",
            relations={**_exclusive("libnvidia-compute"), "Multi-Arch": "same"},
            files={**files.library("nvidia-ml", upstream), **files.library("cuda", upstream)},
            scripts={"postinst": "ldconfig"},
        ),
        _package(f"libnvidia-cfg1-{series}", version, "NVIDIA binary OpenGL/GLX configuration"),
        _package(
            f"nvidia-firmware-{series}-{upstream}", version, "Firmware files used by the kernel"
        ),
        _package(
            f"nvidia-kernel-common-{series}",
            version,
            "Shared files used with the kernel module",
            relations=_exclusive("nvidia-kernel-common")
            | {"Depends": f"nvidia-firmware-{series}-{upstream}"},
            files=files.blacklist(MODPROBE_FILE),
        ),
        _package(
            f"nvidia-compute-utils-{series}",
            version,
            "NVIDIA compute utilities",
            relations=_exclusive("nvidia-compute-utils") | {"Depends": f"{compute} (= {version})"},
            files=files.persistenced(PERSISTENCED_OPTIONS),
            scripts=files.PERSISTENCED_SCRIPTS,
        ),
        _package(
            f"nvidia-utils-{series}",
            version,
            "NVIDIA Server Driver support binaries",
            relations=_exclusive("nvidia-utils") | {"Depends": f"{compute} (= {version})"},
            files=files.nvidia_smi(),
        ),
    ]


def _flavour(series: str, suffix: str, flavour: str, upstream: str, version: str) -> list[Deb]:
    source = f"nvidia-kernel-source-{suffix}"
    no_dkms = f"nvidia-headless-no-dkms-{suffix}"
    same = f"(= {version})"
    prebuilt = f"linux-modules-nvidia-{suffix}"
    libraries = ", ".join(
        f"{name}-{series} {same}"
        for name in ("libnvidia-cfg1", "libnvidia-compute", "nvidia-compute-utils",
                     "nvidia-kernel-common")
    )  # fmt: skip
    return [
        _package(
            source,
            version,
            f"NVIDIA kernel source package ({flavour})",
            relations=_exclusive("nvidia-kernel-source"),
            files=files.module_source("nvidia", upstream, flavour),
        ),
        _package(
            f"nvidia-dkms-{suffix}",
            version,
            f"NVIDIA DKMS package ({flavour})",
            relations=_exclusive("nvidia-dkms-kernel")
            | {"Depends": f"dkms, {source} {same}, nvidia-kernel-common-{series} {same}"},
            scripts=files.dkms_scripts("nvidia", upstream),
        ),
        _package(
            no_dkms,
            version,
            "NVIDIA headless metapackage - no DKMS",
            relations={"Depends": f"{libraries}, {source} {same}"},
        ),
        _package(
            f"nvidia-headless-{suffix}",
            version,
            "NVIDIA headless metapackage",
            relations=_exclusive("nvidia-headless")
            | {"Depends": f"{no_dkms} {same}, nvidia-dkms-{suffix} {same}"},
        ),
        _package(
            f"{prebuilt}-{KERNEL}",
            version,
            f"Linux kernel nvidia modules for {KERNEL}, signed",
            relations={"Depends": f"nvidia-kernel-common-{series} {same}"},
            files={
                f"/lib/modules/{KERNEL}/kernel/nvidia-{series}/nvidia.ko": Content(
                    signed(files.module_for_kernel(upstream, flavour, KERNEL))
                )
            },
            scripts={"postinst": f"if command -v depmod >/dev/null; then depmod -a {KERNEL}; fi"},
        ),
        _package(
            f"{prebuilt}-generic",
            version,
            "Extra drivers for nvidia for the generic flavour",
            relations={"Depends": f"{prebuilt}-{KERNEL} {same}"},
        ),
    ]

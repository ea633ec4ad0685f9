"""What stand-in driver packages install: module sources, libraries, tools, a blacklist."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tests.lab.world import elf
from tests.lab.world.debs import Content, Link, script, text

DATA = Path(__file__).parent / "data"
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
LICENCES = {"proprietary": "NVIDIA", "open": "Dual MIT/GPL"}
"""modinfo's licence of each kernel module flavour: reference/nvidia.md, section 2."""

Files = dict[str, Content | Link]


@cache
def module(name: str, version: str, flavour: str) -> bytes:
    """A kernel module that `modinfo` reads; its kernel's name is put in by the stand-in dkms."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nvidia.ko"
        elf.kernel_module(path, name, version, LICENCES[flavour])
        return path.read_bytes()


def module_for_kernel(version: str, flavour: str, kernel: str) -> bytes:
    """The same module as a distribution builds and signs it for one kernel."""
    template = module("nvidia", version, flavour)
    size = elf.VERMAGIC_SIZE
    field = f"vermagic={elf.VERMAGIC_MARK} SMP preempt mod_unload modversions".ljust(size).encode()
    assert field in template
    return template.replace(
        field, f"vermagic={kernel} SMP preempt mod_unload modversions".ljust(size).encode()
    )


def module_source(package: str, version: str, flavour: str) -> Files:
    """A dkms source tree under /usr/src; `package` is also the module's file name."""
    folder = f"/usr/src/{package}-{version}"
    conf = (
        f'PACKAGE_NAME="{package}"\nPACKAGE_VERSION="{version}"\n'
        f'BUILT_MODULE_NAME[0]="{package}"\nDEST_MODULE_LOCATION[0]="/updates/dkms"\n'
        'AUTOINSTALL="yes"\n'
    )
    return {
        f"{folder}/dkms.conf": text(conf),
        f"{folder}/{package}.ko.template": Content(module("nvidia", version, flavour)),
    }


def dkms_scripts(package: str, version: str) -> dict[str, str]:
    """Maintainer scripts of a dkms package: build for each kernel that has headers."""
    return {
        "postinst": f"""
if [ "$1" = configure ]; then
    [ -z "$(dkms status {package}/{version})" ] || dkms remove {package}/{version} --all
    dkms add {package}/{version}
    if ls -d /lib/modules/*/build >/dev/null 2>&1; then
        dkms install {package}/{version}
    else
        echo "Module build for kernel $(cat /proc/sys/kernel/osrelease) was skipped since the"
        echo "kernel headers for this kernel do not seem to be installed."
    fi
fi""",
        "prerm": f"""
if [ -n "$(dkms status {package}/{version})" ]; then
    dkms remove {package}/{version} --all
fi""",
    }


@cache
def _library(soname: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / soname
        elf.shared_library(path, soname)
        return path.read_bytes()


def library(name: str, version: str) -> Files:
    """A driver library under its full version, and its soname's link."""
    soname = f"lib{name}.so.1"
    full = f"lib{name}.so.{version}"
    return {
        f"{LIBRARIES}/{full}": Content(_library(soname)),
        f"{LIBRARIES}/{soname}": Link(full),
    }


def nvidia_smi() -> Files:
    """The nvidia-smi command."""
    return {
        "/usr/bin/nvidia-smi": script((DATA / "nvidia-smi.sh").read_text()),
        "/usr/share/nvidia/nvidia-smi.awk": text((DATA / "nvidia-smi.awk").read_text()),
    }


def blacklist(path: str) -> Files:
    """The file that keeps nouveau from being loaded at the next boot."""
    return {path: text("blacklist nouveau\noptions nouveau modeset=0\n")}


PERSISTENCED = """#!/bin/sh
if [ ! -e /proc/driver/nvidia/version ]; then
    echo "nvidia-persistenced failed to initialize. Check syslog for more details." >&2
    exit 1
fi
mkdir -p /run/nvidia-smi
rm -f /run/nvidia-smi/*.persistence
case " $* " in
*" --no-persistence-mode "*) ;;
*) for card in /proc/driver/nvidia/gpus/*; do : >"/run/nvidia-smi/${card##*/}.persistence"; done ;;
esac
sleep infinity &
wait
"""
PERSISTENCED_UNIT = """[Unit]
Description=NVIDIA Persistence Daemon
After=syslog.target

[Service]
Type=exec
ExecStart=/usr/bin/nvidia-persistenced{options}

[Install]
WantedBy=multi-user.target
"""


def persistenced(options: str = "") -> Files:
    """The persistence daemon and its unit; like the real one it fails while no driver is loaded."""
    unit = PERSISTENCED_UNIT.format(options=options)
    return {
        "/usr/bin/nvidia-persistenced": script(PERSISTENCED),
        "/usr/lib/systemd/system/nvidia-persistenced.service": text(unit),
    }


PERSISTENCED_SCRIPTS = {
    "postinst": """
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --quiet nvidia-persistenced.service
    systemctl restart nvidia-persistenced.service || true
elif [ "$1" = configure ] && command -v systemctl >/dev/null; then
    systemctl enable --quiet nvidia-persistenced.service
fi""",
    "prerm": """
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --quiet --now nvidia-persistenced.service || true
fi""",
}

"""Stand-in packages of what a driver is built with: kernel headers and dkms."""

from __future__ import annotations

from pathlib import Path

from tests.lab.world.debs import Deb, Link, script, text

DATA = Path(__file__).parent / "data"
DKMS_VERSION = "9.0.0-0standin1"
"""Higher than any distribution's, since the hosts see Debian's own archive too."""


def dkms() -> Deb:
    """The dkms command; it "builds" for kernels with headers, also when those come later."""
    hook = '#!/bin/sh\nset -e\n[ -n "$1" ] || exit 0\nexec dkms autoinstall -k "$1"\n'
    hook_path = "/etc/kernel/header_postinst.d/dkms"
    return Deb(
        "dkms",
        DKMS_VERSION,
        "Dynamic Kernel Module System (DKMS)",
        section="kernel",
        architecture="all",
        files={
            "/usr/sbin/dkms": script((DATA / "dkms.sh").read_text()),
            hook_path: script(hook),
        },
        conffiles=(hook_path,),
    )


def headers(kernel: str, version: str, meta: str) -> list[Deb]:
    """The headers of one kernel, and the meta-package that follows the newest one."""
    name = f"linux-headers-{kernel}"
    notify = (
        'if [ "$1" = configure ] && [ -d /etc/kernel/header_postinst.d ]; then\n'
        f"    run-parts --arg={kernel} /etc/kernel/header_postinst.d\n"
        "fi"
    )
    return [
        Deb(
            name,
            version,
            f"Header files for Linux {kernel}",
            section="kernel",
            files={
                f"/usr/src/{name}/Makefile": text(f"KERNELRELEASE = {kernel}\n"),
                f"/usr/src/{name}/include/config/kernel.release": text(f"{kernel}\n"),
                f"/lib/modules/{kernel}/build": Link(f"/usr/src/{name}"),
                # The kernel's own package brings these; depmod asks for them.
                f"/lib/modules/{kernel}/modules.order": text(""),
                f"/lib/modules/{kernel}/modules.builtin": text(""),
                f"/lib/modules/{kernel}/modules.builtin.modinfo": text(""),
            },
            scripts={"postinst": notify},
        ),
        Deb(
            meta,
            version,
            "Header files for the default kernel (meta-package)",
            section="kernel",
            relations={"Depends": f"{name} (= {version})"},
        ),
    ]

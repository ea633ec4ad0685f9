"""The root file system of one host: a fresh install, as the upper directory of an overlay.

What is written here is what an installer would have set: name, user, key, apt sources. The one
thing more is the unit that shows the pretended hardware.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.lab import access
from tests.lab.hosts import HostSpec
from tests.lab.settings import Lab
from tests.lab.state import host_dir

GUEST = Path(__file__).parent / "guest"

MASKED = (
    "console-getty.service",
    "getty@tty1.service",
    "getty-static.service",
    # Timers that would act at a random moment of a test, or on the machine's real disk.
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
)

NOBLE = """PRETTY_NAME="Ubuntu 24.04.3 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.3 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=noble
LOGO=ubuntu-logo
"""
LSB_NOBLE = """DISTRIB_ID=Ubuntu
DISTRIB_RELEASE=24.04
DISTRIB_CODENAME=noble
DISTRIB_DESCRIPTION="Ubuntu 24.04.3 LTS"
"""

ENGINEER_ID = 1000


def create(lab: Lab, spec: HostSpec, layer: Path, sources: Mapping[str, str]) -> None:
    """Lay a fresh install under the host's directory unless one is there.

    `sources` maps absolute guest paths to texts (apt sources, keyrings, proxy).
    """
    root = host_dir(lab, spec.name) / "root"
    if root.is_dir():
        return
    part = root.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    for name in ("upper", "work", "merged"):
        (part / name).mkdir(parents=True)
    upper = part / "upper"
    for path, text in _system(lab, spec).items():
        _write(upper, path, text)
    _add_login(lab, spec, layer, upper)
    _write(upper, "/etc/apt/sources.list", "")
    for path, text in sources.items():
        _write(upper, path, text)
    _add_units(upper)
    part.rename(root)


@contextmanager
def discarded(lab: Lab, spec: HostSpec) -> Iterator[None]:
    """Take the root of a halted host away, and delete it when the block has ended well or not."""
    root = host_dir(lab, spec.name) / "root"
    old = root.with_suffix(".old")
    shutil.rmtree(old, ignore_errors=True)
    if root.is_dir():
        root.rename(old)
    try:
        yield
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _write(upper: Path, path: str, text: str, mode: int = 0o644) -> None:
    target = upper / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)


def _system(lab: Lab, spec: HostSpec) -> dict[str, str]:
    files = {
        "/etc/hostname": f"{spec.name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n::1 localhost ip6-localhost\n",
        "/etc/resolv.conf": "# The lab has no name server: everything has an address.\n",
        "/etc/machine-id": f"{uuid.uuid4().hex}\n",
    }
    if spec.guest_os == "ubuntu-noble":
        files |= {"/usr/lib/os-release": NOBLE, "/etc/lsb-release": LSB_NOBLE}
    return files


def _add_login(lab: Lab, spec: HostSpec, layer: Path, upper: Path) -> None:
    host_key = access.host_key(lab, spec)
    _write(upper, "/etc/ssh/ssh_host_ed25519_key", host_key.read_text(), 0o600)
    _write(upper, "/etc/ssh/ssh_host_ed25519_key.pub", Path(f"{host_key}.pub").read_text())
    _write(upper, "/etc/ssh/sshd_config.d/lab.conf", "HostKey /etc/ssh/ssh_host_ed25519_key\n")
    home, uid = ("/root", 0)
    if spec.user != "root":
        home, uid = (f"/home/{spec.user}", ENGINEER_ID)
        _add_user(spec.user, home, layer, upper)
    public = Path(f"{access.key(lab)}.pub").read_text()
    _write(upper, f"{home}/.ssh/authorized_keys", public, 0o600)
    for path, mode in ((home, 0o700), (f"{home}/.ssh", 0o700), (f"{home}/.ssh/authorized_keys", 0)):
        own = upper / path.lstrip("/")
        shutil.chown(own, uid, uid)
        if mode:
            own.chmod(mode)


def _add_user(name: str, home: str, layer: Path, upper: Path) -> None:
    rows = {
        "passwd": f"{name}:x:{ENGINEER_ID}:{ENGINEER_ID}::{home}:/bin/bash\n",
        "group": f"{name}:x:{ENGINEER_ID}:\n",
        "shadow": f"{name}:*:20000:0:99999:7:::\n",
        "gshadow": f"{name}:*::\n",
    }
    for file, row in rows.items():
        before = layer / "etc" / file
        _write(upper, f"/etc/{file}", before.read_text() + row, before.stat().st_mode & 0o777)
        shutil.chown(upper / "etc" / file, before.stat().st_uid, before.stat().st_gid)
    _write(upper, f"/etc/sudoers.d/{name}", f"{name} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    (upper / "etc/sudoers.d").chmod(0o750)


def _add_units(upper: Path) -> None:
    units = upper / "etc/systemd/system"
    unit = "lab-hardware.service"
    _write(units, unit, (GUEST / unit).read_text())
    wants = units / "sysinit.target.wants"
    wants.mkdir()
    (wants / unit).symlink_to(f"../{unit}")
    # nspawn keeps /proc/sys/net read-only, for which systemd-sysctl would skip every key at boot;
    # the keys that a host may set are its own files there.
    _write(units, "systemd-sysctl.service.d/lab.conf", "[Unit]\nConditionPathIsReadWrite=\n")
    for name in MASKED:
        (units / name).symlink_to("/dev/null")

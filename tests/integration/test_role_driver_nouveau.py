"""nouveau is kept off: read from files with their times, and out of every initramfs."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from roles.driver import kernel
from roles.driver.state import Nouveau, NouveauState
from tests.unit.driver_hosts import NVIDIA_620, ryzen
from tests.unit.role_host import box


@pytest.mark.parametrize(
    ("state", "blacklists", "renews"),
    [
        (NouveauState(off=True, loaded=True, stale_initramfs=False), False, False),
        (NouveauState(off=True, loaded=True, stale_initramfs=True), False, True),
        (NouveauState(off=True, loaded=False, stale_initramfs=True), False, False),
        (NouveauState(off=False, loaded=True, stale_initramfs=False), True, False),
    ],
)
def test_nouveau_is_kept_off_only_as_far_as_needed(
    state: NouveauState, blacklists: bool, renews: bool
) -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts[Nouveau] = state
    sent = host.run(kernel.keep_nouveau_off)
    assert (kernel.BLACKLIST in host.files) is blacklists
    assert any("update-initramfs -u -k 6.12.48+deb13-amd64" in one for one in sent) is renews


def test_nouveau_s_state_is_read_from_files_with_their_times(tmp_path: Path) -> None:
    """The fact's real command, its directories and the initramfs moved into a tree of the test."""
    modprobe, boot = tmp_path / "modprobe.d", tmp_path / "boot"
    modprobe.mkdir()
    boot.mkdir()
    text = Nouveau().command(kernel="6.1").get_raw_value()
    text = text.replace("/etc/modprobe.d", str(modprobe)).replace("/boot", str(boot))
    text = re.sub(r"(/run|/usr/local/lib|/usr/lib)/modprobe\.d", str(tmp_path / "none"), text)

    def read() -> NouveauState:
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
        found = Nouveau().process(done.stdout.splitlines())
        return replace(found, loaded=False)  # this machine's own matter

    assert read() == NouveauState()
    (modprobe / "a.conf").write_text("# blacklist nouveau\noptions nouveau modeset=0\n")
    assert not read().off
    (modprobe / "b.conf").write_text("blacklist  nouveau\n")
    assert read() == NouveauState(off=True)
    (boot / "initrd.img-6.1").write_text("")
    os.utime(boot / "initrd.img-6.1", (1, 1))
    assert read() == NouveauState(off=True, stale_initramfs=True)
    os.utime(modprobe / "b.conf", (0, 0))
    assert read() == NouveauState(off=True)


def test_a_red_hat_initramfs_is_looked_at_where_there_is_no_debian_one(tmp_path: Path) -> None:
    text = Nouveau().command(kernel="5.14").get_raw_value().replace("/boot", str(tmp_path))
    text = re.sub(r"(/etc|/run|/usr/local/lib|/usr/lib)/modprobe\.d", str(tmp_path / "d"), text)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.conf").write_text("blacklist nouveau\n")
    initramfs = tmp_path / "initramfs-5.14.img"
    initramfs.write_text("")
    os.utime(initramfs, (1, 1))
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    assert replace(Nouveau().process(done.stdout.splitlines()), loaded=False).stale_initramfs


@pytest.mark.parametrize(
    ("tool", "called"),
    [("update-initramfs", "update-initramfs -u -k 6.1"), ("dracut", "dracut --force --kver 6.1")],
)
def test_the_initramfs_is_renewed_with_the_tool_that_is_there(
    tool: str, called: str, tmp_path: Path
) -> None:
    file = tmp_path / tool
    file.write_text('#!/bin/sh\necho "${0##*/} $*"\n')
    file.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", kernel.RENEW_INITRAMFS.format(kernel="6.1")],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == called

"""The ways in and out of a host: a jump host, a sudo password, an HTTP proxy."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
from tests.lab.proxy import proxy_on
from tests.lab.runs import Run, run, variant

pytestmark = pytest.mark.lab

SSH_CONFIG = """\
Host {jump}
  User root
  IdentityFile {key}
  UserKnownHostsFile {known_hosts}

Host {target}
  User root
  IdentityFile {key}
  UserKnownHostsFile {known_hosts}
  ProxyJump {jump}
"""


def test_a_host_behind_a_jump_host(lab: RunningLab, converged: Run, tmp_path: Path) -> None:
    jump, target = Far(lab, "plain"), Far(lab, "pro6000")
    config = tmp_path / "ssh_config"
    ssh = lab.document["ssh"]
    config.write_text(
        SSH_CONFIG.format(
            jump=jump.address,
            target=target.address,
            key=ssh["key"],
            known_hosts=ssh["known_hosts"],
        )
    )
    changes = {"pro6000": {"ssh_config_file": str(config)}}
    count = f"grep -c 'Accepted .* from {jump.address} ' || true"
    accepted = f"journalctl --sync; journalctl --no-pager -o cat | {count}"
    before = int(target.said(accepted))
    through = run(lab, variant(tmp_path, changes, ["pro6000"]))
    assert through.code == 0, through.log[-4000:]
    assert through.totals["success"] == 0
    assert int(target.said(accepted)) > before


def test_a_user_who_has_to_give_a_sudo_password(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    password = secrets.token_urlsafe(12)
    xeon = Far(lab, "xeon")
    xeon.said(
        "id deputy 2>/dev/null || useradd -m -G sudo -s /bin/bash deputy\n"
        # sudo asks with each command of a run: a hash that is slow to try would take minutes
        f"echo 'deputy:{password}' | chpasswd -c SHA256\n"
        "install -d -m 0700 -o deputy /home/deputy/.ssh\n"
        "install -m 0600 -o deputy ~engineer/.ssh/authorized_keys /home/deputy/.ssh/\n"
    )
    needs_password = xeon.run("sudo -u deputy sudo -n true")
    assert needs_password.returncode != 0
    changes = {"xeon": {"ssh_user": "deputy", "_sudo_password": password}}
    try:
        # a live value that is wrong makes the run do something as root
        xeon.said("sysctl -q -w vm.swappiness=60")
        done = run(lab, variant(tmp_path, changes, ["xeon"]))
        assert done.code == 0, done.log[-4000:]
        assert xeon.said("sysctl -n vm.swappiness") == "10"
        assert password not in done.log
    finally:
        xeon.said("userdel -rf deputy 2>/dev/null; true")


def test_a_proxy_carries_packages_weights_and_releases(
    lab: RunningLab, converged: Run, tmp_path: Path, reset_host: Callable[[str], None]
) -> None:
    """The fresh host is told of no apt proxy but the option's, and has no model on its disk."""
    plain = Far(lab, "plain")
    plain.said("systemctl stop llama-server.service; rm -rf /srv/models/*")
    reset_host("plain")
    plain.said(
        "mkdir /root/aside; grep -rl Acquire::http /etc/apt/apt.conf.d | xargs mv -t /root/aside"
    )
    try:
        with proxy_on(lab.lab.gateway) as (url, asked):
            changes = {"plain": {"proxy_url": url}}
            done = run(lab, variant(tmp_path, changes, ["plain"]))
    finally:
        plain.said("mv -t /etc/apt/apt.conf.d /root/aside/* && rmdir /root/aside")
    assert done.code == 0, done.log[-6000:]
    urls = asked.urls_of(plain.address)
    assert any(one.endswith(".deb") for one in urls)
    assert any(".gguf" in one for one in urls)
    assert any(".tar.gz" in one for one in urls)
    assert asked.urls_of(lab.lab.gateway), "this machine asks the Hub through it as well"
    assert run(lab, variant(tmp_path, {}, ["plain"])).code == 0

"""The driver role on hosts with dnf: sources, module stream, locks, packages.

By fixtures only: no Rocky and no Fedora host was there. Answers of dnf are those that dnf 4.23 gave
for packages of these names and versions.
"""

from __future__ import annotations

import configparser
from typing import Any

import pytest

from boxwright.operation.dnf import Locks
from boxwright.operation.dnf_repositories import EnabledRepositories
from boxwright.operation.nvidia_key import KeyFingerprints
from roles.driver import key, repository, rpm
from roles.driver.rpm import EnabledStream
from tests.unit.driver_hosts import on
from tests.unit.plans import BLACKWELL, FEDORA, PASCAL, ROCKY_9, ROCKY_10, UBUNTU
from tests.unit.rocky import PLUGINS, V595, rocky, words


def test_the_repository_is_one_that_checks_its_own_key() -> None:
    host = on(ROCKY_9, PASCAL, driver_nvidia_repository_url="http://mirror.lan/cuda")
    host.directories |= {"/etc/yum.repos.d"}
    host.run(repository.add_source)
    parsed = configparser.ConfigParser()
    parsed.read_string(host.files["/etc/yum.repos.d/boxwright-nvidia.repo"])
    section = parsed["boxwright-nvidia"]
    assert section["baseurl"] == "http://mirror.lan/cuda/rhel9/x86_64/"
    assert section.getboolean("gpgcheck") and not section.getboolean("skip_if_unavailable")
    assert section["gpgkey"] == f"file://{key.KEYS['dnf']}"
    assert host.run(repository.add_source) == []


@pytest.mark.parametrize(
    ("os", "fingerprint"),
    [
        (ROCKY_9, "610C7B14E068A878070DA4E99CD0A493D42D0685"),
        (ROCKY_10, "0123456789ABCDEF0123456789ABCDEFCDF6BA43"),
        (FEDORA, "0123456789ABCDEF0123456789ABCDEF73CD9B30"),
    ],
    ids=["rocky9", "rocky10", "fedora"],
)
def test_the_key_is_checked_before_dnf_may_use_it(os: dict[str, Any], fingerprint: str) -> None:
    host = on(os, BLACKWELL)
    path = "/etc/pki/rpm-gpg/RPM-GPG-KEY-boxwright-nvidia"
    host.install("gnupg2", version="2")
    if os is ROCKY_9:  # branch 580 is the only one that its streams have
        host = on(os, PASCAL)
        host.install("gnupg2", version="2")
    host.facts[KeyFingerprints] = lambda path: (fingerprint,) if path.endswith(".part") else ()
    fetch, move = host.run(key.trust_key)
    assert f"/x86_64/{fingerprint[-8:]}.pub" in host.stdin[0]
    assert "mkdir -p /etc/pki/rpm-gpg" in fetch
    assert move.endswith(f"mv -T {path}.part {path}")
    host.facts[KeyFingerprints] = ("F" * 40,)
    host.run(key.trust_key)
    assert host.refusal is not None and fingerprint[-8:] in host.refusal


def test_apt_s_files_are_not_written_on_a_host_with_dnf() -> None:
    host = rocky()
    assert host.run(repository.add_components) == []
    assert host.run(repository.pin_branch) == []
    assert host.files == {}


def test_a_host_with_apt_has_no_need_of_dnf_s_steps() -> None:
    host = on(UBUNTU, PASCAL)
    for step in (rpm.add_prerequisites, rpm.enable_stream, rpm.lock_branch):
        assert host.run(step) == []
    assert host.refusal is None


def test_further_repositories_come_first_and_once() -> None:
    host = rocky()
    assert host.run(rpm.add_prerequisites) == []
    host.facts[EnabledRepositories] = ("baseos",)
    del host.packages["epel-release"]
    lists, install, enable = host.run(rpm.add_prerequisites)
    assert "makecache" in words(lists)
    assert words(install)[-2:] == ["install", "epel-release"]
    assert words(enable) == ["dnf", "config-manager", "--set-enabled", "crb"]


def test_rpm_fusion_s_packages_are_checked_by_the_distribution_s_copy_of_its_key() -> None:
    host = on(FEDORA, PASCAL, driver_rpmfusion_url="http://mirror.lan/fusion/")
    host.install("rpmfusion-free-release", version="44")
    _, keys, trust, install = host.run(rpm.add_prerequisites)
    assert words(keys)[-2:] == ["install", "distribution-gpg-keys"]
    assert words(trust) == [
        "rpmkeys", "--import",
        "/usr/share/distribution-gpg-keys/rpmfusion/RPM-GPG-KEY-rpmfusion-nonfree-fedora-44",
    ]  # fmt: skip
    assert "--setopt=localpkg_gpgcheck=True" in words(install)
    assert words(install)[-1] == (
        "http://mirror.lan/fusion/nonfree/fedora/rpmfusion-nonfree-release-44.noarch.rpm"
    )
    host.install("rpmfusion-nonfree-release", version="44")
    assert host.run(rpm.add_prerequisites) == []


def test_ids_of_repositories_are_the_first_words_of_dnf_s_list() -> None:
    said = ["repo id          repo name", "appstream        Rocky Linux 9 - AppStream", "t     t"]
    assert EnabledRepositories().process(said) == ("appstream", "t")


def test_the_stream_is_chosen_anew_where_another_one_is() -> None:
    host = rocky()
    assert host.run(rpm.enable_stream) == []
    host.facts[EnabledStream] = "open-dkms"
    (command,) = host.run(rpm.enable_stream)
    assert "module reset nvidia-driver && dnf -y" in command
    assert words(command)[-3:] == ["module", "enable", "nvidia-driver:580-dkms"]


@pytest.mark.parametrize(
    ("lines", "stream"),
    [
        (["[nvidia-driver]", "name=nvidia-driver", "stream=580-dkms", "state=enabled"], "580-dkms"),
        (["[nvidia-driver]", "stream=", "state="], None),
        (["[nvidia-driver]", "stream=open-dkms", "state=disabled"], None),
        ([], None),
    ],
)
def test_the_stream_is_read_from_dnf_s_note(lines: list[str], stream: str | None) -> None:
    assert EnabledStream().process(lines) == stream


def test_where_there_are_no_streams_the_locks_keep_the_branch() -> None:
    host = on(ROCKY_10, PASCAL)
    host.install(*PLUGINS, version="1")
    host.facts[Locks] = ()
    assert host.run(rpm.enable_stream) == []
    lists, lock = host.run(rpm.lock_branch)
    assert "makecache" in words(lists)
    assert words(lock)[2:4] == ["--setopt=exit_on_lock=True", "versionlock"]
    assert {"nvidia-driver*-580.*", "kmod-nvidia-*-580.*"} <= set(words(lock))


def test_locks_of_another_branch_go_before_this_one_s_come() -> None:
    host = rocky()
    assert host.run(rpm.lock_branch) == []
    host.facts[Locks] = (("nvidia-driver-cuda", V595), ("bash", "5.1-1"))
    delete, _, lock = host.run(rpm.lock_branch)
    assert words(delete)[-3:] == ["versionlock", "delete", "nvidia-driver-cuda"]
    assert "add" in words(lock)

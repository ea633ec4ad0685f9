"""The driver role on hosts with dnf: sources, module stream, locks, packages.

By fixtures only: no Rocky and no Fedora host was there. Answers of dnf are those that dnf 4.23 gave
for packages of these names and versions.
"""

from __future__ import annotations

import configparser
from typing import Any

import pytest

from boxwright.operation import Package
from boxwright.operation.dnf import Locks, RpmCandidates
from boxwright.operation.dnf_repositories import EnabledRepositories
from boxwright.operation.nvidia_key import KeyFingerprints
from roles.driver import key, operations, repository, rpm
from roles.driver.rpm import EnabledStream
from tests.unit.driver_hosts import on
from tests.unit.plans import BLACKWELL, FEDORA, PASCAL, ROCKY_9, ROCKY_10, UBUNTU
from tests.unit.role_host import RoleHost
from tests.unit.test_operation_dnf_table import WRAPPED

V580, V595 = "3:580.178.04-1.el9", "3:595.58.03-1.el9"
PLUGINS = ("epel-release", "dnf-plugins-core", "python3-dnf-plugin-versionlock")
DRIVER = ("nvidia-driver-cuda", "kmod-nvidia-latest-dkms", "nvidia-persistenced")
HEADERS = (
    "kernel-devel-5.14.0-570.17.1.el9_6.x86_64",
    "kernel-devel-matched-5.14.0-570.17.1.el9_6.x86_64",
)
GONE = {"loaded": None, "installed": None, "flavour": None, "userspace": None}


def rocky(**data: Any) -> RoleHost:
    """Rocky 9 with a Pascal card, all sources there, nothing of the driver yet."""
    host = on(ROCKY_9, PASCAL, **data)
    host.install(*PLUGINS, version="1")
    host.facts |= {
        EnabledRepositories: ("appstream", "baseos", "crb", "epel"),
        EnabledStream: "580-dkms",
        Locks: tuple((name, V580) for name in DRIVER),
        RpmCandidates: lambda names, options: (
            {name: "5.14.0-1" for name in HEADERS} | {name: V580 for name in DRIVER}
        ),
    }
    return rehearsing(host)


def rehearsing(host: RoleHost) -> RoleHost:
    """The host, on which dnf says of every transaction that it would remove nothing else."""
    host.answers["--downloadonly"] = ("Transaction Summary", "=====", "Install  5 Packages")
    host.answers["--assumeno"] = ("Removing:", " old  noarch  1-1  @own  0  ", "",
                                  "Transaction Summary", "Remove  1 Package")  # fmt: skip
    return host


def have(host: RoleHost, version: str, *names: str, held: bool = False) -> None:
    for name in names:
        host.packages[name] = Package(name, version, held, "installed", name)


def words(command: str) -> list[str]:
    """The words of the dnf command inside the patient script."""
    line = next(one for one in command.split("\n") if one.startswith("while "))
    return line.replace("'\"'\"'", "").split("said=$({ ")[1].split(" ; } 2>&1)")[0].split()


# -- sources -----------------------------------------------------------------------------------


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


# -- the branch --------------------------------------------------------------------------------


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


# -- packages ----------------------------------------------------------------------------------


def test_a_fresh_host_gets_the_branch_by_version_and_the_headers_by_kernel() -> None:
    host = rocky()
    lists, rehearsal, install = host.run(operations.install_packages_of_branch)
    assert "makecache" in words(lists)
    assert "--downloadonly" in words(rehearsal) and "--downloadonly" not in words(install)
    assert "--setopt=install_weak_deps=False" in words(install)
    assert set(words(install)[words(install).index("install") + 1 :]) == {
        *(f"{name}-580.*" for name in DRIVER), *HEADERS,
    }  # fmt: skip


def test_a_host_as_planned_is_left_alone() -> None:
    host = rocky()
    have(host, V580, *DRIVER, held=True)
    have(host, "5.14.0-570.17.1.el9_6", *HEADERS)
    assert host.run(operations.install_packages_of_branch) == []
    assert host.run(operations.hold_packages) == []
    assert host.files == {}, "unattended-upgrades is apt's"


def test_headers_that_the_repositories_have_dropped_are_told_with_the_cure() -> None:
    host = rocky()
    host.facts[RpmCandidates] = lambda names, options: {name: V580 for name in DRIVER}
    host.run(operations.install_packages_of_branch)
    assert host.refusal is not None
    assert HEADERS[0] in host.refusal and "dnf upgrade" in host.refusal


def test_another_branch_goes_only_when_this_one_can_come() -> None:
    host = on(ROCKY_9, PASCAL, nvidia={**GONE, "installed": "595.58.03", "flavour": "open"})
    have(host, V595, "nvidia-driver-cuda", "kmod-nvidia-open-dkms", "nvidia-persistenced")
    host.facts[RpmCandidates] = {name: "1" for name in HEADERS}
    host.run(operations.install_packages_of_branch)
    assert host.refusal is not None and not any(" remove " in one for one in host.sent)
    host.facts[RpmCandidates] = {name: V580 for name in DRIVER} | {name: "1" for name in HEADERS}
    host.effects["--allowerasing install"] = lambda it: have(it, V580, *DRIVER, *HEADERS)
    rehearsing(host).answers["--assumeno"] = (
        "Removing:", " kmod-nvidia-open-dkms  noarch  3:595.58.03-1.el9  @own  0  ", "",
        "Transaction Summary", "Remove  1 Package", "", "Operation aborted.",
    )  # fmt: skip
    lists, rehearsal, install, asked, remove = host.run(operations.install_packages_of_branch)[:5]
    assert "makecache" in words(lists)
    assert "--allowerasing" in words(rehearsal) and "--allowerasing" in words(install)
    assert "--assumeno" in asked
    assert "--setopt=clean_requirements_on_remove=False" in words(remove)
    assert words(remove)[-2:] == ["remove", "kmod-nvidia-open-dkms"], "what the new one left"


def test_a_kept_driver_asks_for_no_headers_after_an_upgrade_of_the_kernel() -> None:
    """`dnf upgrade` put the next kernel's kernel-devel-matched in the place of this one's."""
    kept = {"installed": "580.178.04", "userspace": "580.178.04", "loaded": "580.178.04"}
    host = on(ROCKY_9, PASCAL, nvidia={**kept, "flavour": "proprietary"})
    have(host, V580, *DRIVER)
    host.facts[RpmCandidates] = {}
    assert host.run(operations.install_packages_of_branch) == []
    del host.packages["nvidia-persistenced"]
    host.facts[RpmCandidates] = {"nvidia-persistenced": V580}
    *_, install = rehearsing(host).run(operations.install_packages_of_branch)
    assert words(install)[-1] == "nvidia-persistenced-580.*"


def test_headers_of_the_running_kernel_are_enough_for_the_build() -> None:
    host = rocky()
    host.facts[RpmCandidates] = {HEADERS[0]: "1", **{name: V580 for name in DRIVER}}
    *_, install = host.run(operations.install_packages_of_branch)
    assert HEADERS[0] in words(install) and HEADERS[1] not in words(install)
    assert host.refusal is None
    host = rocky()
    have(host, "5.14.0-611.el9_7", "kernel-devel-matched")
    *_, install = host.run(operations.install_packages_of_branch)
    assert HEADERS[1] not in words(install), "the newest kernel's is there"


def test_what_dnf_would_erase_beside_a_driver_is_refused() -> None:
    host = rocky()
    host.answers["--downloadonly"] = tuple(WRAPPED.splitlines())
    sent = host.run(operations.install_packages_of_branch)
    assert len([one for one in sent if "--allowerasing" in one]) == 1
    assert (
        host.refusal is not None and "would remove cuda-toolkit, wholly-unrelated" in host.refusal
    )


@pytest.mark.parametrize(
    "answer",
    [
        (),
        ("Dependencies resolved.", "Entfernt werden:", " bash  x86_64  5.1  @base  1 M"),
        (
            "Deleting:",
            " bash  x86_64  5.1  @b  1 M",
            "",
            "Transaction Summary",
            "Delete  1 Package",
        ),
        ("Erasing:", " bash  x86_64  5.1  @b  1 M", "", "Transaction Summary", "Remove  1 Package"),
    ],
)
def test_an_answer_of_dnf_that_cannot_be_read_is_refused_and_not_taken_for_nothing(
    answer: tuple[str, ...],
) -> None:
    host = rocky()
    host.answers["--downloadonly"] = answer
    sent = host.run(operations.install_packages_of_branch)
    assert len([one for one in sent if "while ! said" in one]) == 2, "lists and the rehearsal"
    assert host.refusal is not None and "cannot be read from its answer" in host.refusal
    assert (answer or ("nothing at all",))[-1].strip() in host.refusal
    assert "--assumeno" in host.refusal and " -y" not in host.refusal


def test_rpm_fusion_s_names_keep_the_branch_without_a_lock() -> None:
    """A lock would keep the fixes of branch 580 away that the next kernel needs."""
    host = on(FEDORA, PASCAL)
    host.facts[Locks] = ()
    assert host.run(rpm.lock_branch) == []
    kmod = "kmod-nvidia-580xx-7.2.6-200.fc44.x86_64"
    have(host, V580, "akmod-nvidia-580xx", "xorg-x11-drv-nvidia-580xx-cuda", kmod)
    assert host.run(operations.hold_packages) == [] and host.refusal is None


def test_all_of_the_driver_s_version_is_locked_when_it_is_there() -> None:
    host = rocky()
    have(host, V580, *DRIVER, held=True)
    have(host, V580, "nvidia-driver-libs")
    (lock,) = host.run(operations.hold_packages)
    assert words(lock)[-3:] == ["versionlock", "add", "nvidia-driver-libs"]


def test_a_kept_driver_is_locked_with_what_locks_installed_first() -> None:
    kept = {"installed": "580.178.04", "userspace": "580.178.04", "loaded": "580.178.04"}
    host = on(ROCKY_9, PASCAL, nvidia={**kept, "flavour": "proprietary"})
    have(host, V580, "nvidia-driver-cuda")
    for step in (rpm.add_prerequisites, rpm.enable_stream, rpm.lock_branch):
        assert host.run(step) == []
    _, plugin, lock = host.run(operations.hold_packages)
    assert words(plugin)[-1] == "python3-dnf-plugin-versionlock"
    assert words(lock)[-1] == "nvidia-driver-cuda"


def test_a_repository_that_does_not_answer_is_one_sentence_and_nothing_is_changed() -> None:
    host = rocky()
    host.fails_next = lambda text: "makecache" in text
    host.answers["makecache"] = (
        "Errors during downloading metadata for repository 'boxwright-nvidia':",
        "  - Curl error (6): Could not resolve host: developer.example",
        "Error: Failed to download metadata for repo 'boxwright-nvidia'",
    )
    host.run(operations.install_packages_of_branch)
    assert host.refusal is not None
    assert "Could not resolve host: developer.example" in host.refusal
    assert "Cure: " in host.refusal and len(host.sent) == 2

"""Packages of the driver on hosts with dnf: which come, what may go, what is locked.

By fixtures only, as tests/unit/test_role_driver_rpm.py.
"""

from __future__ import annotations

import pytest

from boxwright.operation.dnf import Locks, RpmCandidates
from roles.driver import operations, rpm
from tests.unit.driver_hosts import on
from tests.unit.plans import FEDORA, PASCAL, ROCKY_9
from tests.unit.rocky import DRIVER, HEADERS, V580, V595, have, rehearsing, rocky, words
from tests.unit.test_operation_dnf_table import WRAPPED

GONE = {"loaded": None, "installed": None, "flavour": None, "userspace": None}


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

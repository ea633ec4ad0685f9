"""The base role on hosts with dnf: packages by family, doubled packages, the proxy's file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from boxwright.operation import dnf
from roles.base import packages
from roles.base.unfinished import UNLOCKED, CutShort, DoubledRpms
from tests.unit.plans import FEDORA, ROCKY_9, machine
from tests.unit.role_host import Data, RoleHost
from tests.unit.shell import answered, programs

# rpm -qa's rows as an upgrade that was cut short leaves them (tried with rpm 4.20)
ROWS = (
    r"1795499094\tnvidia-libs.x86_64\tnvidia-libs-580.178.04-1.el9.x86_64\tnvidia-libs ",
    r"1795498895\tkernel-devel.x86_64\tkernel-devel-5.14.0-1.x86_64\tinstallonlypkg(kernel) k ",
    r"1795498896\tkernel-devel.x86_64\tkernel-devel-5.14.0-2.x86_64\tinstallonlypkg(kernel) k ",
    r"1795498895\tdkms.noarch\tdkms-3.2.2-1.el9.noarch\tdkms ",
    r"1795498890\tgpg-pubkey.(none)\tgpg-pubkey-1-1.(none)\tgpg ",
    r"1795498891\tgpg-pubkey.(none)\tgpg-pubkey-2-2.(none)\tgpg ",
    r"1795499093\tnvidia-libs.x86_64\tnvidia-libs-580.95.05-1.el9.x86_64\tnvidia-libs ",
    r"1795499093\tnvidia-libs.i686\tnvidia-libs-580.95.05-1.el9.i686\tnvidia-libs ",
)


def host_with(os: dict[str, str], **data: object) -> RoleHost:
    return RoleHost(machine("ryzen", os=os), Data(data))


@pytest.mark.parametrize("os", [ROCKY_9, FEDORA], ids=["rocky", "fedora"])
def test_a_fresh_host_gets_its_family_s_packages(os: dict[str, str]) -> None:
    lists, install = host_with(os).run(packages.have_packages)
    assert "dnf -y" in lists and "apt-get" not in lists
    for name in ("/usr/bin/curl", "iproute", "libgomp", "procps-ng", "tar"):
        assert f" {name}" in install
    assert "iproute2" not in install


def test_the_older_of_two_versions_is_what_was_left_and_kernels_are_not(tmp_path: Path) -> None:
    rows = "".join(f"{row}\\n" for row in ROWS)
    with programs(tmp_path, rpm=f"printf '{rows}'"):
        left = answered(DoubledRpms, tmp_path)
    assert left == ("nvidia-libs-580.95.05-1.el9.x86_64",)


OLD = "nvidia-libs-580.95.05-1.el9.x86_64"
# `dnf history info last`, as dnf 4.23 and dnf5's manual word it
HISTORY = """Transaction ID : 12
Return-Code    : {end}
Packages Altered:
    Upgrade  nvidia-libs-3:580.178.04-1.el9.x86_64 @boxwright-nvidia
    Upgraded nvidia-libs-3:580.95.05-1.el9.x86_64  @@System"""


def doubled(*states: tuple[str, ...], begun: tuple[str, ...] = (OLD,)) -> RoleHost:
    host = host_with(ROCKY_9)
    answers = iter(states)
    host.facts |= {DoubledRpms: lambda: next(answers), CutShort: begun}
    return host


def test_what_is_doubled_is_erased_and_only_that() -> None:
    host = doubled((OLD,), (OLD,), ())
    wait, erase = host.run(packages.finish_packages)
    assert "/proc/locks" in wait and "rpm -e" not in wait
    assert f"rpm -e --nodeps {OLD} ; }}" in erase
    assert host.refusal is None
    assert doubled(()).run(packages.finish_packages) == []


def test_a_transaction_that_was_running_is_left_to_end() -> None:
    host = doubled((OLD,), (), ())
    (wait,) = host.run(packages.finish_packages)
    assert "rpm -e" not in wait and host.refusal is None


def test_two_versions_that_no_broken_transaction_explains_are_the_user_s() -> None:
    host = doubled((OLD, "tool-1-1.x86_64"), (OLD, "tool-1-1.x86_64"))
    sent = host.run(packages.finish_packages)
    assert not any("rpm -e --nodeps" in one for one in sent)
    assert host.refusal is not None
    assert "tool-1-1.x86_64" in host.refusal and OLD not in host.refusal


def test_what_stays_doubled_is_named_with_the_cure() -> None:
    host = doubled((OLD,), (OLD,), (OLD,))
    host.run(packages.finish_packages)
    assert host.refusal is not None
    assert "nvidia-libs-580.95.05" in host.refusal and "dnf check" in host.refusal


@pytest.mark.parametrize(
    ("end", "explains"),
    [
        ("** Aborted **", True),
        ("Failure: 1", True),
        ("Success", False),
        ("Completed", False),  # a word that is not known explains nothing
    ],
)
def test_only_a_transaction_that_was_cut_short_explains_two_versions(
    end: str, explains: bool, tmp_path: Path
) -> None:
    with programs(tmp_path, dnf=f"cat <<'END'\n{HISTORY.format(end=end)}\nEND"):
        assert (OLD in answered(CutShort, tmp_path)) == explains
    newer = HISTORY.replace("Return-Code    ", "Status         ").format(end="Started")
    with programs(tmp_path, dnf=f"cat <<'END'\n{newer}\nEND"):
        assert OLD in answered(CutShort, tmp_path)


def test_the_lock_of_rpm_is_seen_by_its_inode(tmp_path: Path) -> None:
    lock, locks = tmp_path / ".rpm.lock", tmp_path / "locks"
    lock.touch()
    text = UNLOCKED.replace("/var/lib/rpm/.rpm.lock", str(lock)).replace("/proc/locks", str(locks))

    def said() -> str:
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (done.stdout == "")
        return done.stdout

    locks.write_text(f"1: POSIX  ADVISORY  WRITE 4182 00:1f6:{lock.stat().st_ino}1 0 EOF\n")
    assert said() == ""
    locks.write_text(f"1: POSIX  ADVISORY  WRITE 4182 00:1f6:{lock.stat().st_ino} 0 EOF\n")
    assert any(words in said() for words in dnf.DNF_MANAGER.busy), "so it is waited for"


def test_the_proxy_s_file_is_dnf_s_own_and_for_root_alone() -> None:
    host = host_with(ROCKY_9, proxy_url="http://user:secret@proxy.lan:3128")
    (command,) = host.run(packages.set_proxy)
    assert dnf.PROXY_FILE in command and "chmod 0600" in command and "secret" not in command
    assert "https_proxy=http://user:secret@proxy.lan:3128" in host.stdin[0]
    host.files[dnf.PROXY_FILE], host.modes[dnf.PROXY_FILE] = host.stdin[0], 600
    assert host.run(packages.set_proxy) == []
    host.data.values["proxy_url"] = None
    assert host.run(packages.set_proxy) == [f"rm -f {dnf.PROXY_FILE}"]


def test_apt_s_settings_are_not_written() -> None:
    host = host_with(ROCKY_9)
    assert host.run(packages.set_manager) == [] and host.files == {}

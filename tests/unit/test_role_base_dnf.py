"""The base role on hosts with dnf: packages by family, doubled packages, the proxy's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxwright.operation import dnf
from roles.base import packages
from roles.base.unfinished import DoubledRpms
from tests.unit.plans import FEDORA, ROCKY_9, machine
from tests.unit.role_host import Data, RoleHost, answered, programs

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
    for name in ("/usr/bin/curl", "iproute", "libgomp", "procps-ng"):
        assert f" {name}" in install
    assert "iproute2" not in install


def test_the_older_of_two_versions_is_what_was_left_and_kernels_are_not(tmp_path: Path) -> None:
    rows = "".join(f"{row}\\n" for row in ROWS)
    with programs(tmp_path, rpm=f"printf '{rows}'"):
        left = answered(DoubledRpms, tmp_path)
    assert left == ("nvidia-libs-580.95.05-1.el9.x86_64",)


def test_what_is_doubled_is_erased_and_only_that() -> None:
    host = host_with(ROCKY_9)
    answers = iter([("nvidia-libs-580.95.05-1.el9.x86_64",), ()])
    host.facts[DoubledRpms] = lambda: next(answers)
    (erase,) = host.run(packages.finish_packages)
    assert "rpm -e --nodeps nvidia-libs-580.95.05-1.el9.x86_64 2>&1" in erase
    assert host.refusal is None
    host.facts[DoubledRpms] = ()
    assert host.run(packages.finish_packages) == []


def test_what_stays_doubled_is_named_with_the_cure() -> None:
    host = host_with(ROCKY_9)
    host.facts[DoubledRpms] = ("nvidia-libs-580.95.05-1.el9.x86_64",)
    host.run(packages.finish_packages)
    assert host.refusal is not None
    assert "nvidia-libs-580.95.05" in host.refusal and "dnf check" in host.refusal


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

"""dnf and rpm as roles use them. The answers are those that dnf 4.23 and rpm 4.20 gave when tried.

dnf5's list of locks is written after its manual page and its own tests' files.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from boxwright.machine import Machine
from boxwright.operation import install_packages, installed_packages, manager_of_host
from boxwright.operation.dnf import (
    DNF_MANAGER,
    Locks,
    RpmCandidates,
    Rpms,
    Unprovided,
    locks_in,
    proxy_environment,
)
from boxwright.plan.results import Refusal
from tests.unit.plans import DEBIAN_12, FEDORA, ROCKY_9, ROCKY_10, UBUNTU, machine
from tests.unit.role_host import Data, RoleHost
from tests.unit.shell import answered, programs

LIST = """
# Added lock on Tue Nov 24 05:41:36 2026
nvidia-driver-cuda-3:580.178.04-1.el9.*
kmod-nvidia-latest-dkms-3:580.178.04-1.el9.*
!curl-0:7.76.1-31.el9.*
"""
TOML = """
version = "1.0"

[[packages]]
name = "akmod-nvidia-580xx"
comment = "Added by 'versionlock add' command on 2026-11-24 05:41:36"

[[packages.conditions]]
key = "evr"
comparator = "="
value = "3:580.178.04-1.fc44"
"""
# what rpm -qa and rpm -q print for the same packages
RPM = r"""
name=nvidia-driver-cuda
case $1 in
-qa) printf "$name\t3:580.178.04-1.el9\t$name-580.178.04-1.el9.x86_64\n" ;;
-q) printf 'package nvidia* is not installed\n'
    printf 'kernel-devel\t5.14.0-570.17.1.el9_6\tkernel-devel-5.14.0-570.17.1.el9_6.x86_64\n'
    exit 2 ;;
esac
"""
HEADERS = "kernel-devel-5.14.0-570.17.1.el9_6.x86_64"


def rocky() -> Machine:
    return machine("ryzen", os=ROCKY_9)


@pytest.mark.parametrize(
    ("os", "name"),
    [(ROCKY_9, "dnf"), (ROCKY_10, "dnf"), (FEDORA, "dnf"), (UBUNTU, "apt"), (DEBIAN_12, "apt")],
)
def test_the_distribution_says_which_manager_it_is(os: dict[str, str], name: str) -> None:
    assert RoleHost(machine("ryzen", os=os)).ask(manager_of_host).name == name


def test_locks_are_read_from_the_lists_of_both_generations() -> None:
    assert list(locks_in(LIST.splitlines())) == [
        ("nvidia-driver-cuda", "3:580.178.04-1.el9"),
        ("kmod-nvidia-latest-dkms", "3:580.178.04-1.el9"),
    ]
    assert list(locks_in(TOML.splitlines())) == [("akmod-nvidia-580xx", "3:580.178.04-1.fc44")]


def test_a_version_that_may_grow_is_not_locked() -> None:
    assert list(locks_in(TOML.replace('"="', '">="').splitlines())) == []


def test_no_list_is_no_lock() -> None:
    assert answered(Locks) == ()


def test_packages_are_read_from_rpm_by_name_and_by_full_name(tmp_path: Path) -> None:
    with programs(tmp_path, rpm=RPM):
        found = {one.name: one for one in answered(Rpms, tmp_path, patterns=["nvidia*", HEADERS])}
    assert found["nvidia-driver-cuda"].version == "3:580.178.04-1.el9"
    assert found["kernel-devel"].full_name == HEADERS
    assert len(found) == 2


def test_a_broken_rpm_database_is_no_empty_one(tmp_path: Path) -> None:
    with (
        programs(tmp_path, rpm="echo 'error: rpmdb' >&2; exit 1"),
        pytest.raises(AssertionError, match="would fail its host"),
    ):
        answered(Rpms, tmp_path, patterns=["nvidia*"])


def test_what_is_locked_at_its_version_is_held() -> None:
    row = "nvidia-driver-cuda\t3:580.178.04-1.el9\tnvidia-driver-cuda-580.178.04-1.el9.x86_64"
    locks = [f"lock\t{line}" for line in LIST.splitlines()]
    (held,) = Rpms().process([row, *locks])
    assert held.held and held.installed
    (moved,) = Rpms().process([row.replace("178.04", "95.05"), *locks])
    assert not moved.held


def test_headers_of_one_kernel_are_found_among_those_of_others() -> None:
    host = RoleHost(rocky())
    older = "kernel-devel-5.14.0-1.el9.x86_64"
    host.facts[Rpms] = lambda patterns: Rpms().process(
        [f"kernel-devel\t5.14.0-1.el9\t{older}", f"kernel-devel\t5.14.0-570.17.1.el9_6\t{HEADERS}"]
    )
    assert set(host.ask(lambda: installed_packages([HEADERS]))) == {HEADERS, "kernel-devel"}


def test_candidates_are_known_by_name_and_by_full_name() -> None:
    found = RpmCandidates().process(
        [
            "kernel-devel\t5.14.0-570.17.1.el9_6\t" + HEADERS,
            "",
            "nvidia-driver-cuda\t3:580.178.04-1.el9\tnvidia-driver-cuda-580.178.04-1.el9.x86_64",
        ]
    )
    assert found[HEADERS] == "5.14.0-570.17.1.el9_6"
    assert found["nvidia-driver-cuda"] == "3:580.178.04-1.el9"


def test_what_no_package_provides_is_missing(tmp_path: Path) -> None:
    with programs(tmp_path, rpm='for last; do :; done; test "$last" = /usr/bin/curl'):
        found = answered(Unprovided, tmp_path, names=["/usr/bin/curl", "procps-ng"])
    assert found == ("procps-ng",)


def test_only_what_is_missing_is_installed_after_the_lists_are_fetched() -> None:
    host = RoleHost(rocky())
    host.install("procps-ng", version="3")
    wanted = ["procps-ng", "/usr/bin/curl", "kmod"]
    lists, install = host.run_part(lambda: install_packages(wanted))
    assert "dnf -y --setopt=exit_on_lock=True makecache --refresh" in lists
    assert "--setopt=install_weak_deps=False install /usr/bin/curl kmod ; } 2>&1" in install
    assert "procps" not in install


@pytest.mark.parametrize(
    "busy",
    [
        "metadata already locked by 4242",
        "RPM: error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily"
        " unavailable)",
        "Transaction failed: Failed to obtain rpm transaction lock. Another transaction is in"
        " progress.",
    ],
    ids=["dnf4", "rpm", "dnf5"],
)
def test_it_waits_for_each_kind_of_lock(busy: str, tmp_path: Path) -> None:
    dnf = f"""
echo called >>"$0.calls"
if [ "$(wc -l <"$0.calls")" -lt 3 ]; then echo "{busy}" >&2; exit 1; fi
"""
    host = RoleHost(rocky())
    mend = Refusal("dnf failed", "mend it")
    (command,) = host.run_part(lambda: DNF_MANAGER.patiently("dnf install x", mend))
    with programs(tmp_path, dnf=dnf, sleep="exit 0"):
        done = subprocess.run(
            ["sh", "-c", command], env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "dnf.calls").read_text().count("called") == 3


def test_the_proxy_is_a_file_that_a_shell_reads_as_it_was_meant(tmp_path: Path) -> None:
    url = "http://user:p$w'x;id@proxy.lan:3128"
    data = Data({"proxy_url": url, "proxy_exceptions": "localhost, .lan"})
    said = RoleHost(rocky(), data).ask(proxy_environment)
    assert isinstance(said, str)
    file = tmp_path / "env"
    file.write_text(said)
    done = subprocess.run(
        ["sh", "-c", f"set -a; . {file}; printenv http_proxy https_proxy no_proxy"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [url, url, "localhost,.lan"]


@pytest.mark.parametrize("url", [None, "proxy.lan:3128"])
def test_no_proxy_is_no_file_and_a_wrong_one_is_refused(url: str | None) -> None:
    said = RoleHost(rocky(), Data({"proxy_url": url})).ask(proxy_environment)
    assert said == "" if url is None else isinstance(said, Refusal)

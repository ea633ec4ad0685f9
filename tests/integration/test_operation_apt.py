"""apt and dpkg as roles use them: waiting for a lock, failing with a sentence, only if needed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from boxwright.operation import Package, install_packages, installed_packages
from boxwright.operation.apt import APT, Missing, Packages, proxy_settings
from boxwright.plan.results import Refusal
from tests.unit.role_host import Data, RoleHost
from tests.unit.shell import answered, programs

SENTENCE = Refusal("apt-get failed", "mend it")
BUSY = """
echo called >>"$0.calls"
if [ "$(wc -l <"$0.calls")" -lt 3 ]; then
    echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4242 (apt-get)" >&2
    exit 100
fi
"""


def ran(host: RoleHost, command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The command that `patiently` makes, run by this machine's sh."""
    made = host.run_part(lambda: APT.patiently(command, SENTENCE))
    return subprocess.run(
        ["sh", "-c", made[0]], env={"PATH": f"{directory}:/usr/bin:/bin"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_it_waits_for_a_lock_that_another_process_holds(tmp_path: Path) -> None:
    with programs(tmp_path, apt_get=BUSY, sleep="exit 0"):
        done = ran(RoleHost(), "apt-get update", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "apt-get.calls").read_text().count("called") == 3


def test_the_wait_for_a_lock_is_bounded(tmp_path: Path) -> None:
    forever = 'echo "dpkg: error: dpkg frontend lock was locked by another process" >&2; exit 2'
    host = RoleHost(data=Data({"base_package_lock_timeout_s": 1}))
    began = time.monotonic()
    with programs(tmp_path, dpkg=forever, sleep="exec /usr/bin/sleep 0.2"):
        done = ran(host, "dpkg --configure -a", tmp_path)
    assert done.returncode == 1
    assert time.monotonic() - began < 20
    assert "frontend lock was locked by another process" in done.stderr


def test_another_fault_is_shown_at_once_with_the_sentence(tmp_path: Path) -> None:
    with programs(tmp_path, apt_get='echo "E: Unable to locate package nonesuch" >&2; exit 100'):
        done = ran(RoleHost(), "apt-get install nonesuch", tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["E: Unable to locate package nonesuch"]


def test_a_fault_ends_the_host_with_the_line_that_tells_why() -> None:
    host = RoleHost(fails_next=lambda text: "apt-get install" in text)
    host.answers["apt-get install"] = ("Reading lists...", "E: Unable to locate package x")
    host.run_part(lambda: APT.patiently("apt-get install x", SENTENCE))
    assert host.refusal == "apt-get failed (Unable to locate package x). Cure: mend it."


def test_what_a_url_says_of_who_asks_is_shown_nowhere() -> None:
    host = RoleHost(fails_next=lambda text: "apt-get update" in text)
    host.answers["apt-get update"] = (
        "E: Failed to fetch https://me:s3cret@mirror.lan/x  401  Unauthorized",
        "E: Could not connect to http://me:s3cret@proxy.lan:3128",
    )
    why = Refusal("https://me:s3cret@mirror.lan does not answer", "look at a@b.lan")
    host.run_part(lambda: APT.patiently("apt-get update", why))
    assert host.refusal is not None and "https://…@mirror.lan does not answer" in host.refusal
    assert "a@b.lan" in host.refusal
    shown = [*host.logged, host.refusal]
    assert len(shown) == 3 and not [line for line in shown if "s3cret" in line]


def test_packages_are_read_from_dpkg_with_holds_and_states(tmp_path: Path) -> None:
    said = r"""printf 'curl\t8.14\tinstall\tinstalled\nlibcuda1\t580.1-1\thold\tinstalled\n'
printf 'gone\t1.0\tdeinstall\tconfig-files\nhalf\t2\tinstall\thalf-configured\n'
printf 'unknown\t\tunknown\tnot-installed\n'; exit 1"""
    with programs(tmp_path, dpkg_query=said, dpkg="echo amd64"):
        found = {one.name: one for one in answered(Packages, tmp_path, patterns=["curl", "lib*"])}
    assert found["curl"] == Package("curl", "8.14", False, "installed")
    assert found["libcuda1"].held
    assert not found["gone"].installed and not found["half"].installed
    assert "unknown" not in found


def test_packages_of_another_architecture_stay_apart_from_the_host_s_own(tmp_path: Path) -> None:
    """A hold of `libcuda1` alone leaves `libcuda1:i386` free, which is what apt-mark takes."""
    said = r"""printf 'libcuda1:amd64\t580.1-1\thold\tinstalled\n'
printf 'libcuda1:i386\t580.1-1\tinstall\tinstalled\n'"""
    with programs(tmp_path, dpkg_query=said, dpkg="echo amd64"):
        found = {one.name: one for one in answered(Packages, tmp_path, patterns=["libcuda1"])}
    assert {name: one.held for name, one in found.items()} == {
        "libcuda1": True, "libcuda1:i386": False,
    }  # fmt: skip


def test_the_answers_of_all_parts_of_a_command_are_heard(tmp_path: Path) -> None:
    """The first part's complaint told of the lock, and only the last part's was read."""
    busy = 'test -e "$0.free" && exit; touch "$0.free"\n' + BUSY.split("\n")[3].strip()
    with programs(tmp_path, dpkg=f"{busy} >&2; exit 2", sleep="exit 0"):
        done = ran(RoleHost(), "dpkg --configure -a && dpkg --audit", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_packages_are_those_that_dpkg_lists_here() -> None:
    if not Path("/usr/bin/dpkg-query").exists():
        pytest.skip("needs dpkg")
    (dpkg,) = answered(Packages, patterns=["dpkg", "no-such-package-at-all"])
    assert answered(Missing, names=["dpkg", "no-such"]) == ("no-such",)
    listed = subprocess.run(["dpkg", "-s", "dpkg"], capture_output=True, text=True, check=True)
    assert f"Version: {dpkg.version}\n" in listed.stdout
    assert dpkg.installed


def test_nothing_is_fetched_when_nothing_is_missing() -> None:
    host = RoleHost()
    host.install("curl", version="8")
    assert set(host.ask(lambda: installed_packages(["curl"]))) == {"curl"}
    assert host.run_part(lambda: install_packages(["curl"])) == []


def test_only_what_is_missing_is_installed_after_the_lists_are_fetched() -> None:
    host = RoleHost()
    host.install("curl", version="8")
    lists, install = host.run_part(lambda: install_packages(["curl", "kmod"]))
    assert "apt-get update --error-on=any" in lists
    assert "--no-install-recommends" in install and " kmod" in install and " curl" not in install


@pytest.mark.parametrize(
    ("url", "exceptions", "lines"),
    [
        (None, "localhost", []),
        (
            "http://user:pw@proxy.lan:3128",
            "localhost, .lan, 10.0.0.7",
            [
                'Acquire::http::Proxy "http://user:pw@proxy.lan:3128";',
                'Acquire::https::Proxy "http://user:pw@proxy.lan:3128";',
                'Acquire::http::Proxy::localhost "DIRECT";',
                'Acquire::https::Proxy::localhost "DIRECT";',
                'Acquire::http::Proxy::10.0.0.7 "DIRECT";',
                'Acquire::https::Proxy::10.0.0.7 "DIRECT";',
            ],
        ),
    ],
)
def test_the_proxy_becomes_settings_of_apt(
    url: str | None, exceptions: str, lines: list[str]
) -> None:
    host = RoleHost(data=Data({"proxy_url": url, "proxy_exceptions": exceptions}))
    text = host.ask(proxy_settings)
    assert isinstance(text, str)
    assert [line for line in text.splitlines() if not line.startswith("//")] == lines


@pytest.mark.parametrize("url", ['http://a"; Evil "1', "box.lan:3128", "http://a b", "ftp://x"])
def test_a_proxy_that_is_no_url_is_refused_without_showing_it(url: str) -> None:
    said = RoleHost(data=Data({"proxy_url": url})).ask(proxy_settings)
    assert isinstance(said, Refusal)
    assert url not in said.sentence()

"""The base role: the account, what an interrupted dpkg left, packages, the proxy's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyinfra.facts.server import Groups, Os, Users, Which

from boxwright.operation import apt
from roles.base import operations, packages
from roles.base.account import Account, AccountState
from roles.base.unfinished import UnfinishedPackages
from tests.unit.plans import machine
from tests.unit.role_host import Data, RoleHost, box
from tests.unit.shell import answered, programs

# dpkg-query's ${db:Status-Abbrev} and name, as a killed apt-get install leaves them
LEFT = """printf 'ii \\tcurl\\nhi \\tlibcuda1\\niU \\tdkms\\niF \\tnvidia-kernel-open-dkms\\n'
printf 'rc \\tgone\\niHR\\tbroken\\niW \\tlibc-bin\\nun \\tnever\\n'"""


GETENT = """[ "$*" = "passwd llama" ] || exit 2
echo llama:x:998:997::/var/cache/llama-server:/usr/sbin/nologin"""
ID = """[ "$*" != "-gn llama" ] || echo llama
[ "$*" != "-Gn llama" ] || echo llama video render"""


def account(**changes: object) -> AccountState:
    own = ("llama", "video", "render", "extra")
    state = AccountState(998, "/var/cache/llama-server", "/usr/sbin/nologin", "llama", own)
    return replace(state, **changes)  # type: ignore[arg-type]


def account_host(known: AccountState | None, groups: list[str]) -> RoleHost:
    old = known and {
        "uid": known.uid, "home": known.home, "shell": known.shell, "group": known.group,
        "groups": [name for name in known.groups if name != known.group], "comment": "",
        "password": "!",
    }  # fmt: skip
    answers: dict[type, object] = {
        Account: known,
        Users: {"llama": old} if old else {},
        Groups: groups,
        Os: "Linux",
        Which: "/usr/sbin/useradd",
    }
    return RoleHost(facts=answers)


def test_a_fresh_host_gets_a_system_account_without_login() -> None:
    sent = account_host(None, ["root", "video"]).run(operations.have_account)
    assert sent[0] == "groupadd -r llama"
    assert "-s /usr/sbin/nologin" in sent[1] and " -r" in sent[1]
    assert "-G video" in sent[1], "render is not there, so it is not asked for"


def test_an_account_as_wanted_is_left_alone() -> None:
    host = account_host(account(), ["llama", "video", "render"])
    assert host.run(operations.have_account) == []
    assert host.noops == ["the account llama is as wanted"]


@pytest.mark.parametrize(
    ("changed", "sent"),
    [
        ({"shell": "/bin/sh"}, "-s /usr/sbin/nologin"),
        ({"home": "/home/llama"}, "-d /var/cache/llama-server"),
        ({"group": "users"}, "-g llama"),
        ({"groups": ("llama", "video")}, "-G video,render"),
    ],
)
def test_what_differs_of_an_account_is_changed(changed: dict[str, object], sent: str) -> None:
    host = account_host(account(**changed), ["llama", "video", "render"])
    (command,) = host.run(operations.have_account)
    assert command.startswith("usermod") and sent in command


def test_a_person_called_llama_is_not_made_the_service() -> None:
    host = account_host(account(uid=1000), ["llama"])
    host.run(operations.have_account)
    assert host.refusal is not None
    assert "uid 1000" in host.refusal and "Cure: " in host.refusal
    assert len(host.sent) == 1


def test_an_account_is_read_from_the_user_database(tmp_path: Path) -> None:
    with programs(tmp_path, getent=GETENT, id=ID):
        assert answered(Account, tmp_path, login="llama") == account(
            groups=("llama", "video", "render")
        )
        assert answered(Account, tmp_path, login="nobody-of-that-name") is None


def test_an_account_whose_group_has_no_name_is_read_so_that_it_can_be_mended(
    tmp_path: Path,
) -> None:
    nameless = "echo 4242; echo 'id: cannot find name for group ID 4242' >&2; exit 1"
    with programs(tmp_path, getent=GETENT, id=nameless):
        assert answered(Account, tmp_path, login="llama") == account(group="4242", groups=("4242",))


def test_packages_between_two_states_are_found(tmp_path: Path) -> None:
    with programs(tmp_path, dpkg_query=LEFT, apt_get="exit 0"):
        found = answered(UnfinishedPackages, tmp_path)
    assert set(found) - {"(journal)"} == {"dkms", "nvidia-kernel-open-dkms", "broken", "libc-bin"}


def test_broken_dependencies_are_found(tmp_path: Path) -> None:
    with programs(tmp_path, dpkg_query="printf 'ii \\tcurl\\n'", apt_get="exit 100"):
        assert "(dependencies)" in answered(UnfinishedPackages, tmp_path)


def unfinished_host(*states: tuple[str, ...]) -> RoleHost:
    answers = iter(states)
    return RoleHost(facts={UnfinishedPackages: lambda: next(answers)})


def test_whole_packages_are_left_alone() -> None:
    assert unfinished_host(()).run(packages.finish_packages) == []


def test_an_interrupted_installation_is_finished() -> None:
    host = unfinished_host(("dkms",), ())
    configure, simulated, repair = host.run(packages.finish_packages)
    assert "dpkg --configure -a" in configure and "true" not in configure
    assert "apt-get -s -f install" in simulated
    assert "apt-get -f install -y" in repair
    assert host.refusal is None


def test_what_would_be_finished_by_removing_it_is_left_to_the_user() -> None:
    host = unfinished_host(("(dependencies)",), ())
    host.answers["apt-get -s -f install"] = (
        "The following packages will be REMOVED:", "  theirs", "Remv theirs [1.0]",
    )  # fmt: skip
    sent = host.run(packages.finish_packages)
    assert not any("-f install -y" in command for command in sent)
    assert host.refusal is not None and "would remove theirs. Cure: " in host.refusal


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [
        ("dpkg: error: dpkg frontend lock was locked by another process", False),
        ("dpkg: dependency problems prevent configuration of dkms", True),
    ],
)
def test_a_lock_of_dpkg_s_is_waited_for_and_other_faults_are_left_to_apt(
    said: str, goes_on: bool
) -> None:
    host = unfinished_host(("dkms",), ())
    host.fails_next = lambda text: "dpkg --configure" in text
    host.answers["dpkg --configure"] = (said,)
    sent = host.run(packages.finish_packages)
    assert any("-f install -y" in command for command in sent) == goes_on
    assert (host.refusal is None) == goes_on


def test_what_cannot_be_finished_is_named() -> None:
    host = unfinished_host(("dkms", "broken"), ("broken",))
    host.run(packages.finish_packages)
    assert host.refusal is not None
    assert "broken" in host.refusal and "dkms," not in host.refusal


def test_the_proxy_s_file_holds_its_password_for_root_alone_and_is_written_once() -> None:
    host = RoleHost(data=Data({"proxy_url": "http://user:secret@proxy.lan:3128"}))
    (command,) = host.run(packages.set_proxy)
    assert "secret" not in command, "it goes to standard input"
    assert "chmod 0600" in command and "umask 077" in command
    text = _stdin_of(host)
    host.files[apt.PROXY_FILE], host.modes[apt.PROXY_FILE] = text, 600
    assert host.run(packages.set_proxy) == []
    host.modes[apt.PROXY_FILE] = 644
    assert len(host.run(packages.set_proxy)) == 1, "readable by all is not as wanted"
    host.data.values["proxy_url"] = None
    assert host.run(packages.set_proxy) == [f"rm -f {apt.PROXY_FILE}"]


def _stdin_of(host: RoleHost) -> str:
    assert len(host.stdin) == 1
    assert 'Proxy "http://user:secret@proxy.lan:3128"' in host.stdin[0]
    return host.stdin[0]


@pytest.mark.parametrize("seconds", [600, 30])
def test_apt_is_told_how_long_to_wait_once(seconds: int) -> None:
    host = RoleHost(data=Data({"base_package_lock_timeout_s": seconds}))
    host.run(packages.set_manager)
    assert f'DPkg::Lock::Timeout "{seconds}";' in host.files[packages.SETTINGS]
    assert host.run(packages.set_manager) == []


def test_disks_of_the_user_keep_their_owner_and_mode() -> None:
    host = box(machine("ryzen"), models_directory="/mnt/disk")
    host.directories |= {"/mnt/disk"}
    sent = host.run(operations.have_directories)
    assert "mkdir -p /opt/llama.cpp" in sent
    assert not [command for command in sent if "/mnt/disk" in command]

"""The preflight role's own parts; fleets of bad hosts are in tests/integration/test_fleet.py."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from boxwright import facts
from boxwright.facts import Access, AccessState, PortOwner, Service, ServiceState
from boxwright.machine import Disk
from roles.preflight import operations
from roles.preflight.reach import EffectiveUser, Reach, ReachAnswer
from tests.unit.plans import HELP, machine
from tests.unit.role_host import RoleHost, answered, box

ROOT_ACCESS = AccessState(uid=0, user="root", sudo=True, init="systemd")


def logged_in(**access: object) -> RoleHost:
    host = RoleHost()
    given: dict[str, Any] = {"epoch_s": int(time.time()), **access}
    host.facts[Access] = replace(ROOT_ACCESS, **given)
    return host


@pytest.mark.parametrize("ahead_s", [0, 90, -90])
def test_a_clock_that_is_near_enough_passes(ahead_s: int) -> None:
    host = logged_in(epoch_s=int(time.time()) + ahead_s)
    assert host.run(operations.may_be_changed) == []


@pytest.mark.parametrize(("ahead_s", "word"), [(7200, "ahead of"), (-7200, "behind")])
def test_a_clock_that_is_far_off_is_told_with_its_direction(ahead_s: int, word: str) -> None:
    host = logged_in(epoch_s=int(time.time()) + ahead_s)
    host.run(operations.may_be_changed)
    assert host.refusal is not None and word in host.refusal
    assert "7200 s" in host.refusal or "7199 s" in host.refusal or "7201 s" in host.refusal


def test_another_init_is_named() -> None:
    host = logged_in(init="init")
    host.run(operations.may_be_changed)
    assert host.refusal is not None and "process 1 is init" in host.refusal


@pytest.mark.parametrize(
    ("owner", "main_pid", "refused"),
    [
        (None, 0, False),
        (PortOwner(77, "llama-server"), 77, False),
        (PortOwner(78, "nginx"), 77, True),
        (PortOwner(0, "unknown"), 0, True),
    ],
    ids=["free", "ours", "another-s", "nobody-s-we-may-see"],
)
def test_the_port_is_free_or_our_own(owner: PortOwner | None, main_pid: int, refused: bool) -> None:
    host = box(machine("plain"), server_port=9090)
    host.facts[Service] = ServiceState(main_pid=main_pid, port_owner=owner)
    host.run(operations.port_is_free)
    assert (host.refusal is not None) is refused
    if refused and owner is not None:
        assert "9090" in str(host.refusal) and owner.command in str(host.refusal)


def test_a_full_system_disk_is_refused_before_the_driver() -> None:
    tight = (Disk("/", "ext4", 40000, 2000), Disk("/srv", "ext4", 900000, 800000))
    host = box(replace(machine("ryzen"), disks=tight))
    host.run(operations.has_room)
    assert host.refusal is not None
    assert "2000 MiB" in host.refusal and f"{operations.DRIVER_MIB} MiB" in host.refusal


def test_a_host_that_was_set_up_before_may_be_nearly_full() -> None:
    found = replace(machine("plain"), disks=(Disk("/", "ext4", 40000, 200),))
    host = box(replace(found, llama=replace(found.llama, build="b11669")))
    flags = frozenset(re.findall(r"--?[A-Za-z][\w-]*", (HELP / "b11669.txt").read_text()))
    stamp = facts.ReleaseStamp("b11669-cpu-x86_64", "b11669", None, (), flags)
    host.facts[facts.Releases] = facts.ReleasesState(stamp.release, (stamp,))
    assert host.run(operations.has_room) == []


class Web(BaseHTTPRequestHandler):
    """A server with one key file."""

    def do_GET(self) -> None:
        found = self.path.endswith("8793f200.pub")
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"key\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.skipif(not Path("/usr/lib/apt/apt-helper").exists(), reason="needs apt")
def test_apt_s_own_downloader_tells_what_the_host_reaches(web: str) -> None:
    direct = 'Acquire::http::Proxy::127.0.0.1 "DIRECT";\n'
    urls = [f"{web}/8793F200.pub", f"{web}/8793f200.pub"]
    assert answered(Reach, stdin=direct, urls=urls) == ReachAnswer(True)
    missing = answered(Reach, stdin=direct, urls=urls[:1])
    assert not missing.reached and "404" in missing.said


def test_who_sudo_makes_of_the_login_is_asked_of_id() -> None:
    assert answered(EffectiveUser) == os.geteuid()
    assert EffectiveUser().process(["Welcome", "1000"]) == 1000

"""Whether what a host needs answers it: apt's own downloader, curl, and the driver's sources."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from roles.preflight import endpoints
from roles.preflight.reach import CurlReach, Reach, ReachAnswer
from tests.integration.preflight_hosts import ROWS, with_release
from tests.integration.serving import running
from tests.unit.driver_hosts import on
from tests.unit.plans import FEDORA, PASCAL, ROCKY_10
from tests.unit.shell import answered


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
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Web)) as url:
        yield url


@pytest.mark.skipif(not Path("/usr/lib/apt/apt-helper").exists(), reason="needs apt")
def test_apt_s_own_downloader_tells_what_the_host_reaches(web: str) -> None:
    direct = 'Acquire::http::Proxy::127.0.0.1 "DIRECT";\n'
    urls = [f"{web}/8793F200.pub", f"{web}/8793f200.pub"]
    assert answered(Reach, stdin=direct, urls=urls) == ReachAnswer(True)
    missing = answered(Reach, stdin=direct, urls=urls[:1])
    assert not missing.reached and "404" in missing.said


@pytest.mark.skipif(not Path("/usr/bin/curl").exists(), reason="needs curl")
def test_a_host_with_dnf_asks_with_curl(web: str) -> None:
    urls = [f"{web}/8793F200.pub", f"{web}/8793f200.pub"]
    assert answered(CurlReach, stdin="\n", urls=urls) == ReachAnswer(True)
    missing = answered(CurlReach, stdin="\n", urls=urls[:1])
    assert not missing.reached and "404" in missing.said
    closed = 'proxy = "http://127.0.0.1:9"\n'
    assert not answered(CurlReach, stdin=closed, urls=urls).reached, "the proxy is what is asked"


def test_what_vouches_for_the_driver_is_asked_for_by_its_family_s_means() -> None:
    host = with_release(on(ROCKY_10, PASCAL), assets=ROWS)
    host.facts[CurlReach] = lambda urls: ReachAnswer(False, f"no route to {len(urls)}")
    host.run(endpoints.endpoints_answer)
    assert host.refusal is not None and "no route to 2" in host.refusal
    assert "/rhel10/x86_64/CDF6BA43.pub" in host.refusal


@pytest.mark.parametrize("there", [(), ("rpmfusion-free-release", "rpmfusion-nonfree-release")])
def test_rpm_fusion_has_to_answer_only_while_it_is_missing(there: tuple[str, ...]) -> None:
    host = with_release(on(FEDORA, PASCAL), assets=ROWS)
    host.install(*there, version="44")
    host.facts[CurlReach] = lambda urls: ReachAnswer(False, f"404 {urls[0]}")
    host.run(endpoints.endpoints_answer)
    assert ("rpmfusion-free-release-44" in (host.refusal or "")) is (not there)

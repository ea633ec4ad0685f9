"""What apt has on a fresh host of the lab, and the proxy it goes through."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.integration.loopback import free_ports
from tests.lab.proxy import proxy_on
from tests.lab.settings import Lab
from tests.lab.world import build, guests, proxy, static
from tests.lab.world.archive import Key
from tests.lab.world.fetch import MachineApt

LAB = Lab("unit", 7)
KEYS = {name: Key("F" * 40, f"armored {name}\n") for name in ("ubuntu", "debian")}
WORLD = build.World(Path("/nowhere"), KEYS)
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
APT = MachineApt("https://mirror.example/debian", ())


def fields(text: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition(": ") for line in text.splitlines())}


@pytest.fixture(autouse=True)
def mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "machine_apt", lambda: APT)


@pytest.mark.parametrize(
    ("os", "archive", "suite"),
    [
        ("ubuntu-noble", "ubuntu.sources", "noble"),
        ("trixie", "lab.sources", "trixie"),
        ("bookworm", "lab.sources", "bookworm"),
    ],
)
def test_each_host_has_its_distributions_archive(os: str, archive: str, suite: str) -> None:
    files = guests.guest_sources(LAB, WORLD, os)
    source = fields(files[f"/etc/apt/sources.list.d/{archive}"])
    assert source["Suites"] == suite
    assert source["URIs"].startswith("http://10.77.7.1:8100/")
    assert files[source["Signed-By"]].startswith("armored ")
    assert not any(f"{LAB.archive_url}/nvidia" in text for text in files.values())


def test_the_mirror_is_this_machines_through_the_labs_proxy() -> None:
    files = guests.guest_sources(LAB, WORLD, "bookworm")
    source = fields(files["/etc/apt/sources.list.d/debian.sources"])
    assert source["URIs"] == "http://mirror.example/debian"
    assert source["Suites"] == "bookworm"
    connection = files["/etc/apt/apt.conf.d/80boxwright-lab"]
    assert 'Acquire::http::Proxy "http://10.77.7.1:3142";' in connection
    assert 'Acquire::http::Proxy::10.77.7.1 "DIRECT";' in connection


def test_real_drivers_and_headers_lose_against_the_labs() -> None:
    preferences = guests.guest_sources(LAB, WORLD, "trixie")["/etc/apt/preferences.d/boxwright-lab"]
    headers, drivers = (fields(stanza) for stanza in preferences.split("\n\n"))
    assert (headers["Package"], headers["Pin"]) == ("linux-headers-*", "origin 10.77.7.1")
    assert int(headers["Pin-Priority"]) > 500
    assert drivers["Pin"] == "origin mirror.example"
    assert int(drivers["Pin-Priority"]) < 500


@pytest.mark.parametrize("upstream", [None, "http://site-proxy.example:3128/"])
def test_nginx_takes_the_configuration(tmp_path: Path, upstream: str | None) -> None:
    lines = (f'Acquire::http::Proxy "{upstream}";',) if upstream else ()
    apt = MachineApt(APT.debian_mirror, lines)
    assert apt.http_proxy == upstream
    text = proxy.nginx_configuration(tmp_path, tmp_path / "cache", "127.0.0.1:3999", apt)
    assert ("site-proxy" in text) == (upstream is not None)
    if NGINX is None:
        pytest.skip("needs nginx")
    (tmp_path / "cache").mkdir()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(text.replace("site-proxy.example", "127.0.0.1"))
    done = subprocess.run(
        [NGINX, "-t", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", configuration],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(NGINX is None, reason="needs nginx")
@pytest.mark.parametrize("chained", [False, True])
def test_a_package_is_fetched_once(tmp_path: Path, chained: bool) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/a_1.0+b1_all.deb").write_bytes(b"package")
    log = tmp_path / "log"
    origin = static.server(tmp_path / "pool", ("127.0.0.1", 0), log)
    threading.Thread(target=origin.serve_forever, args=(0.01,), daemon=True).start()
    with proxy_on("127.0.0.1") as (site_proxy, asked):
        lines = (f'Acquire::http::Proxy "{site_proxy}";',) if chained else ()
        with running_nginx(tmp_path, MachineApt(APT.debian_mirror, lines)) as address:
            client = httpx.Client(proxy=address, trust_env=False)
            url = f"http://127.0.0.1:{origin.server_address[1]}/a_1.0+b1_all.deb"
            assert [client.get(url).content for _ in range(2)] == [b"package"] * 2
            absent = client.get(url.replace("a_1", "b_1"))
    origin.shutdown()
    origin.server_close()
    assert absent.status_code == 404
    assert len(asked.requests) == (2 if chained else 0)
    assert log.read_text().count('"status": 200') == 1


@contextmanager
def running_nginx(tmp_path: Path, apt: MachineApt) -> Iterator[str]:
    (address,) = free_ports(1)
    listen = f"{address[0]}:{address[1]}"
    cache = tmp_path / "cache"
    cache.mkdir()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(proxy.nginx_configuration(tmp_path, cache, listen, apt))
    error_log = str(tmp_path / "error.log")
    process = subprocess.Popen(
        [str(NGINX), "-p", str(tmp_path), "-e", error_log, "-c", str(configuration)]
    )
    try:
        for _ in range(500):
            with suppress(OSError), socket.create_connection(address):
                break
            time.sleep(0.02)
        yield f"http://{listen}"
    finally:
        process.terminate()
        process.wait()

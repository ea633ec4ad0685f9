"""What apt has on a fresh host of the lab, and the proxy it goes through."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.settings import Lab
from tests.lab.world import build, guests, proxy
from tests.lab.world.archive import Key
from tests.lab.world.fetch import MachineApt

LAB = Lab("unit", 7)
KEYS = {name: Key("F" * 40, f"armored {name}\n") for name in ("ubuntu", "debian")}
WORLD = build.World(Path("/nowhere"), KEYS)
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
    assert "nvidia" not in "".join(files.values())


def test_the_mirror_is_this_machines_through_the_labs_proxy() -> None:
    files = guests.guest_sources(LAB, WORLD, "bookworm")
    source = fields(files["/etc/apt/sources.list.d/debian.sources"])
    assert source["URIs"] == "http://mirror.example/debian"
    assert source["Suites"] == "bookworm"
    connection = files["/etc/apt/apt.conf.d/80boxwright-lab"]
    assert 'Acquire::http::Proxy "http://10.77.7.1:3142";' in connection
    assert 'Acquire::http::Proxy::10.77.7.1 "DIRECT";' in connection


@pytest.mark.parametrize("upstream", [None, "http://site-proxy.example:3128/"])
def test_nginx_takes_the_configuration(tmp_path: Path, upstream: str | None) -> None:
    lines = (f'Acquire::http::Proxy "{upstream}";',) if upstream else ()
    apt = MachineApt(APT.debian_mirror, lines)
    assert apt.http_proxy == upstream
    text = proxy.nginx_configuration(tmp_path, tmp_path / "cache", "127.0.0.1:3999", apt)
    assert ("site-proxy" in text) == (upstream is not None)
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("needs nginx")
    (tmp_path / "cache").mkdir()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(text.replace("site-proxy.example", "127.0.0.1"))
    done = subprocess.run(
        [nginx, "-t", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", configuration],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

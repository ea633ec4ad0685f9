"""Starts a lab's servers on its bridge address, each a process of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.lab.settings import CACHE_ROOT, Lab
from tests.lab.world.build import World
from tests.lab.world.fetch import machine_apt
from tests.lab.world.proxy import nginx_configuration

CHECKOUT = Path(__file__).parents[3]
START_TIMEOUT_S = 60.0
HUB_LOG = "hub.log"
RELEASE_LOG = "release.log"
ARCHIVE_LOG = "archive.log"
HUB_FAULTS = "hub-faults.json"


def start(lab: Lab, world: World) -> list[int]:
    """Start proxy, archive, Hub and release server; returns their process ids, ready to serve.

    Logs, and the Hub's faults file, lie in lab.state. Raises RuntimeError, with the server's last
    words, if one does not come up; what was started before it is ended again.
    """
    lab.state.mkdir(parents=True, exist_ok=True)
    started: list[subprocess.Popen[bytes]] = []
    commands = _commands(lab, world)
    try:
        for name, command, _ in commands:
            started.append(_spawn(command, lab.state / f"{name}.out"))
        for (name, _, port), process in zip(commands, started, strict=True):
            _wait_for(name, process, lab, port)
    except BaseException:
        for process in started:
            process.terminate()
            process.wait()
        raise
    return [process.pid for process in started]


def _commands(lab: Lab, world: World) -> list[tuple[str, list[str], int]]:
    archive, hub, release = (
        urlsplit(url).netloc for url in (lab.archive_url, lab.hub_url, lab.release_url)
    )
    python = [sys.executable, "-m"]
    state = lab.state
    return [
        ("proxy", _nginx(lab), urlsplit(lab.apt_proxy_url).port or 0),
        ("archive", [*python, "tests.lab.world.static", "--root", str(world.archive),
                     "--listen", archive, "--log", str(state / ARCHIVE_LOG)], _port(archive)),
        ("hub", [*python, "tests.lab.world.hub", "--root", str(world.hub), "--listen", hub,
                 "--log", str(state / HUB_LOG), "--faults", str(state / HUB_FAULTS)],
         _port(hub)),
        ("release", [*python, "tests.lab.world.github", "--root", str(world.releases),
                     "--listen", release, "--log", str(state / RELEASE_LOG)], _port(release)),
    ]  # fmt: skip


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _nginx(lab: Lab) -> list[str]:
    prefix, cache = lab.state / "proxy", CACHE_ROOT / "proxy"
    prefix.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True, exist_ok=True)
    configuration = prefix / "nginx.conf"
    listen = urlsplit(lab.apt_proxy_url).netloc
    configuration.write_text(nginx_configuration(prefix, cache, listen, machine_apt()))
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "nginx"
    return [program, "-p", str(prefix), "-e", str(prefix / "error.log"), "-c", str(configuration)]


def _spawn(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        return subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for(name: str, process: subprocess.Popen[bytes], lab: Lab, port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection((lab.gateway, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    words = (lab.state / f"{name}.out").read_text()[-2000:]
    raise RuntimeError(f"the lab's {name} server does not answer on port {port}: {words}")

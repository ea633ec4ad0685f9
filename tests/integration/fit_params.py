"""Runs the real `llama-fit-params` of build b11669 with `ggml-rpc-server`s as its GPUs.

The programs are Debian sid's, run by sid's own loader (the lab's world fetches them once).
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.loopback import free_ports
from tests.lab.settings import CACHE_ROOT
from tests.lab.world import releases
from tests.lab.world.build import sid_packages
from tests.lab.world.cache import locked, made, recipe_of

RPC_SERVER = Path("usr/libexec/x86_64-linux-gnu/llama/bin/ggml-rpc-server")
LOADER = "ld-linux-x86-64.so.2"
ROW = re.compile(r"^(\S+) (\d+) (\d+) (\d+) *$", re.MULTILINE)
SECONDS_TO_LISTEN = 30
SECONDS_TO_MEASURE = 120

# model, context and compute in MiB
Row = tuple[int, int, int]


class MeasureError(RuntimeError):
    """The tool gave no figures; the message carries its own words."""


def programs(cache: Path = CACHE_ROOT) -> Path:
    """A directory with the programs, their libraries and their loader; made once."""
    packages = sid_packages(cache)
    with locked(cache, "fit-params"):
        return made(
            cache / "world" / "fit-params",
            recipe_of(Path(releases.__file__), Path(__file__), packages.name),
            lambda target: _lay_out(packages / "root", target),
        )


def _lay_out(root: Path, target: Path) -> None:
    releases.unpack_debian(root, target)
    releases.without_backend(target)
    shutil.copyfile(root / RPC_SERVER, target / "lib" / RPC_SERVER.name)
    (target / "lib" / RPC_SERVER.name).chmod(0o755)


@dataclass(frozen=True)
class Tool:
    """The tool, and the addresses of the servers that stand for GPUs."""

    library: Path
    servers: tuple[str, ...]

    def measure(self, model: Path, gpus: int, arguments: Sequence[str]) -> list[Row]:
        """What it prints for each device in order and, last, for the host."""
        devices = ("--rpc", ",".join(self.servers[:gpus])) if gpus else ()
        fixed = ("--no-repack", "-fitp", "on", "-fit", "off", "-fa", "on")
        done = subprocess.run(
            [*_command(self.library, "llama-fit-params"), "-m", str(model), *devices, *fixed,
             *arguments],
            capture_output=True, text=True, cwd=self.library, timeout=SECONDS_TO_MEASURE,
            check=False,
        )  # fmt: skip
        rows = [(int(m[2]), int(m[3]), int(m[4])) for m in ROW.finditer(done.stdout)]
        if len(rows) != gpus + 1:
            raise MeasureError(f"{model.name} {' '.join(arguments)}: {done.stderr[-2000:]}")
        return rows


@contextmanager
def tool(gpus: int, cache: Path = CACHE_ROOT) -> Iterator[Tool]:
    """The tool with so many servers, which are ended afterwards."""
    library = programs(cache) / "lib"
    places = free_ports(gpus)
    started = [
        subprocess.Popen(
            [*_command(library, RPC_SERVER.name), "-H", host, "-p", str(port), "-t", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=library,
        )
        for host, port in places
    ]  # fmt: skip
    try:
        for place in places:
            _wait_for(place)
        yield Tool(library, tuple(f"{host}:{port}" for host, port in places))
    finally:
        for one in started:
            one.terminate()
            one.wait()


def _command(library: Path, name: str) -> list[str]:
    return [str(library / LOADER), "--library-path", str(library), str(library / name)]


def _wait_for(place: tuple[str, int]) -> None:
    deadline = time.monotonic() + SECONDS_TO_LISTEN
    while True:
        try:
            with socket.create_connection(place, timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)

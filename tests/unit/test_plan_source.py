"""Builds from source: which hosts get one, of which toolkit and compiler, and how it is wished.

What the tests expect is written down here from reference/nvidia.md (1, 3.8, 8), apart from the
catalog's rows.
"""

from __future__ import annotations

from typing import Any

import pytest

from boxwright.catalog import CatalogError
from boxwright.plan.source_build import jobs as jobs_of
from tests.unit.plans import (
    AMPERE,
    BLACKWELL,
    DEBIAN_12,
    DEBIAN_13,
    FEDORA,
    HOPPER,
    PASCAL,
    ROCKY_9,
    ROCKY_10,
    TURING,
    UBUNTU,
    VOLTA,
    installed,
    machine,
    plan_on,
    refused,
)
from tests.unit.source_builds import ADA, UBUNTU_22, UBUNTU_26, compiled, options

APT_12_8 = (
    "cuda-nvcc-12-8", "cuda-cudart-dev-12-8", "cuda-cccl-12-8", "libcublas-dev-12-8",
    "cuda-driver-dev-12-8",
)  # fmt: skip


@pytest.mark.parametrize(
    ("os", "ids", "cuda", "source", "architectures", "compiler"),
    [
        # Pascal: no release runs (glibc), or the driver is too old for its PTX
        (DEBIAN_12, [PASCAL, PASCAL], "12.8", "nvidia-repository", "61-real", None),
        (DEBIAN_13, [PASCAL, PASCAL], "12.4", "distribution", "61-real", "g++-13"),
        (UBUNTU_22, [PASCAL], "12.8", "nvidia-repository", "61-real", None),
        (ROCKY_9, [PASCAL], "12.8", "nvidia-repository", "61-real", None),
        # Blackwell
        (DEBIAN_12, [BLACKWELL], "13.4", "nvidia-repository", "120a-real", None),
        (UBUNTU_22, [BLACKWELL], "13.4", "nvidia-repository", "120a-real", None),
        (ROCKY_9, [BLACKWELL], "13.4", "nvidia-repository", "120a-real", None),
        # old and new together
        (DEBIAN_12, [PASCAL, ADA], "12.8", "nvidia-repository", "61-real;89-real", None),
        (DEBIAN_13, [VOLTA, AMPERE], "12.4", "distribution", "70-real;86-real", "g++-13"),
        (DEBIAN_12, [TURING, HOPPER], "13.4", "nvidia-repository", "75-real;90-real", None),
    ],
)
def test_what_no_release_serves_is_compiled(
    os: dict[str, Any],
    ids: list[str],
    cuda: str,
    source: str,
    architectures: str,
    compiler: str | None,
) -> None:
    build, toolkit = compiled(plan_on(os, *ids))
    assert (toolkit.version, toolkit.source) == (cuda, source)
    assert options(build)["CMAKE_CUDA_ARCHITECTURES"] == architectures
    assert build.host_compiler == compiler
    assert options(build).get("CMAKE_CUDA_HOST_COMPILER") == compiler
    assert compiler is None or compiler in build.packages


@pytest.mark.parametrize(
    ("os", "cuda", "source", "compiler", "system_headers"),
    [
        (UBUNTU, "12.8", "nvidia-repository", None, False),
        (UBUNTU_26, "12.4", "distribution", "g++-13", False),
        (ROCKY_10, "12.8", "redistributable", None, False),
        (FEDORA, "12.8", "redistributable", "g++-14", True),
    ],
)
def test_pascal_where_a_release_would_run_but_is_not_wanted(
    os: dict[str, Any], cuda: str, source: str, compiler: str | None, system_headers: bool
) -> None:
    assert plan_on(os, PASCAL).runtime.kind == "release"  # type: ignore[union-attr]
    build, toolkit = compiled(plan_on(os, PASCAL, runtime_compile="always"))
    assert (toolkit.version, toolkit.source) == (cuda, source)
    assert (build.host_compiler, toolkit.system_headers) == (compiler, system_headers)


@pytest.mark.parametrize(
    ("os", "compiler", "flags"),
    [
        (DEBIAN_13, None, "-isystem /opt/cuda-12.8/include"),
        (UBUNTU_26, "g++-14", "-isystem /opt/cuda-12.8/include"),
        (ROCKY_10, None, None),
    ],
)
def test_the_tarballs_come_with_the_compiler_and_the_headers_that_this_glibc_asks_for(
    os: dict[str, Any], compiler: str | None, flags: str | None
) -> None:
    build, toolkit = compiled(plan_on(os, PASCAL, runtime_compile="always", runtime_cuda="12.8"))
    assert toolkit.source == "redistributable" and toolkit.root == "/opt/cuda-12.8"
    assert options(build).get("CMAKE_CUDA_FLAGS") == flags
    assert build.host_compiler == compiler
    nvcc = toolkit.tarballs[0]
    assert nvcc.path == "cuda_nvcc/linux-x86_64/cuda_nvcc-linux-x86_64-12.8.93-archive.tar.xz"
    assert nvcc.sha256 == "9961b3484b6b71314063709a4f9529654f96782ad39e72bf1e00f070db8210d3"
    assert {one.path.split("/")[0] for one in toolkit.tarballs} == {
        "cuda_nvcc", "cuda_cudart", "cuda_cccl", "libcublas",
    }  # fmt: skip


def test_nvidia_s_repository_gives_the_least_that_compiles_and_no_driver() -> None:
    _, toolkit = compiled(plan_on(DEBIAN_12, PASCAL))
    assert toolkit.packages == APT_12_8 and toolkit.root == "/usr/local/cuda-12.8"
    _, toolkit = compiled(plan_on(ROCKY_9, PASCAL))
    assert toolkit.packages == tuple(name.replace("-dev-", "-devel-") for name in APT_12_8)
    _, toolkit = compiled(plan_on(DEBIAN_13, PASCAL))
    assert toolkit.packages == ("nvidia-cuda-toolkit",)
    assert toolkit.components == ("contrib", "non-free", "non-free-firmware")


def test_a_build_takes_nothing_from_the_machine_that_compiles_or_from_the_network() -> None:
    build, _ = compiled(plan_on(DEBIAN_12, PASCAL))
    given = options(build)
    off = (
        "GGML_NATIVE", "GGML_CUDA_NCCL", "LLAMA_BUILD_UI", "LLAMA_USE_PREBUILT_UI",
        "LLAMA_BUILD_IS_DEV", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_EXAMPLES",
    )  # fmt: skip
    on = ("GGML_BACKEND_DL", "GGML_CPU_ALL_VARIANTS", "GGML_CUDA", "GGML_RPC")
    assert {given[name] for name in off} == {"OFF"} and {given[name] for name in on} == {"ON"}
    assert given["CMAKE_INSTALL_RPATH"] == "$ORIGIN"
    assert given["LLAMA_BUILD_NUMBER"] == "11669"
    assert "native" not in " ".join(build.cmake).lower().replace("ggml_native", "")


def test_a_host_without_a_card_compiles_where_its_glibc_is_too_old() -> None:
    made = plan_on(ROCKY_9)
    assert made.runtime is not None and made.runtime.source is not None
    build = made.runtime.source
    assert (made.runtime.kind, made.runtime.cuda, build.toolkit) == ("source", None, None)
    assert not any("CUDA" in word for word in build.cmake)
    assert made.runtime.release == "b11669-src-cpu-x86_64"
    assert build.pack == "b11669-cpu-glibc2.34-x86_64"
    assert plan_on(DEBIAN_12).runtime.kind == "release"  # type: ignore[union-attr]


def test_names_tell_what_a_pack_is_of() -> None:
    made = plan_on(DEBIAN_12, PASCAL, ADA)
    build, _ = compiled(made)
    assert made.runtime is not None
    assert made.runtime.release == "b11669-src-cuda12.8_61_89-x86_64"
    assert build.pack == "b11669-cuda12.8_61_89-glibc2.36-x86_64"
    others = [
        plan_on(DEBIAN_12, PASCAL),
        plan_on(UBUNTU_22, PASCAL, ADA),
        plan_on(DEBIAN_12, PASCAL, ADA, runtime_build="b11700"),
        plan_on(DEBIAN_12, PASCAL, ADA, runtime_repository="me/llama.cpp"),
    ]
    packs = {build.pack, *(compiled(other)[0].pack for other in others)}
    assert len(packs) == 5
    same = compiled(plan_on(DEBIAN_12, ADA, PASCAL, PASCAL))[0]
    assert same.pack == build.pack


@pytest.mark.parametrize(
    ("cores", "free_mib", "jobs"), [(40, 128750, 40), (40, 16000, 7), (2, 1024, 1)]
)
def test_every_core_compiles_if_the_memory_holds_it(cores: int, free_mib: int, jobs: int) -> None:
    on = machine("xeon", cpu={"cores": cores}, memory={"available_mib": free_mib})
    assert jobs_of(on) == jobs


def fork_row(fork: str) -> dict[str, Any]:
    files = {"Q8_0": {"files": ["a.gguf"]}}
    return {"tiny": {"repository": "t/t", "revision": "main", "quants": files, "fork": fork}}


def test_a_model_s_fork_is_compiled_from_its_ref_also_where_a_release_would_run() -> None:
    rows = fork_row("vcruz305/llama.cpp@runtime/deepseek41")
    wishes: dict[str, Any] = {"model": "tiny", "models_catalog": rows}
    made = plan_on(DEBIAN_13, BLACKWELL, **wishes)
    build, _ = compiled(made)
    assert (build.repository, build.ref) == ("vcruz305/llama.cpp", "runtime/deepseek41")
    assert made.runtime is not None
    name = "b11669-vcruz305-llama.cpp-runtime-deepseek41-fork-cuda13.4_120a-x86_64"
    assert made.runtime.release == name and "/" not in build.pack
    never = plan_on(DEBIAN_13, BLACKWELL, runtime_compile="never", **wishes)
    assert "vcruz305/llama.cpp@runtime/deepseek41" in refused(never)


@pytest.mark.parametrize("fork", ["llama.cpp", "a/b", "../x@main", "a/b@-x", "a/b@x y", "a@b"])
def test_a_fork_that_names_no_ref_is_no_row(fork: str) -> None:
    with pytest.raises(CatalogError, match="fork"):
        plan_on(DEBIAN_13, model="tiny", models_catalog=fork_row(fork))


def test_how_it_is_compiled_is_wished_by_one_of_three_words() -> None:
    assert "'perhaps'" in refused(plan_on(DEBIAN_13, runtime_compile="perhaps"))
    assert "glibc" in refused(plan_on(ROCKY_9, runtime_compile="never"))
    always = plan_on(DEBIAN_13, runtime_compile="always").runtime
    assert always is not None and always.kind == "source"


def test_a_driver_that_is_too_old_for_ptx_runs_what_is_compiled_for_the_card() -> None:
    made = plan_on(UBUNTU, TURING, nvidia=installed("535.261.03", "open"))
    _, toolkit = compiled(made)
    assert (toolkit.version, made.runtime and made.runtime.architectures) == ("12.8", ("75-real",))


def test_a_refusal_names_what_stands_in_the_way_of_each_asset_and_each_toolkit() -> None:
    sentence = refused(plan_on(DEBIAN_12, PASCAL, runtime_cuda="13.4"))
    assert "glibc 2.39" in sentence and "GP104" not in sentence
    assert "13.4" in sentence and "capability 6.1" in sentence and "runtime_cuda" in sentence
    sentence = refused(
        plan_on(UBUNTU, TURING, nvidia=installed("550.54.14", "open"), runtime_cuda="13.4")
    )
    assert "580.65.06" in sentence and "550.54.14" in sentence and "driver_branch" in sentence

"""The toolkit from NVIDIA's tarballs: checked, unpacked, put together."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.context import ctx_host

from boxwright.operation import operation, refuse
from boxwright.plan.results import Tarball, ToolkitPlan
from roles.runtime import toolkit as role
from roles.runtime.build import collected
from roles.runtime.planned import Planned
from tests.integration.toolkits import brought, build_of, on
from tests.unit.plans import DEBIAN_12, DEBIAN_13, PASCAL, plan_on
from tests.unit.shell import programs

TARBALLS = build_of(DEBIAN_13, runtime_compile="always", runtime_cuda="12.8")


def test_each_tarball_is_checked_by_its_sum_and_unpacked_beside() -> None:
    host = on(DEBIAN_13)
    assert TARBALLS.toolkit is not None
    sums = iter(one.sha256 for one in TARBALLS.toolkit.tarballs)
    host.answers = {
        "--head": ("7",), "boxwright-fetch": ("0 200 7",), "sha256sum": lambda _: (next(sums),),
    }  # fmt: skip
    brought(host, TARBALLS)
    assert host.refusal is None, host.refusal
    assert sum("tar --extract --xz" in text for text in host.sent) == 4
    last = host.sent[-1]
    assert last.startswith("ln -sfn lib /opt/cuda-12.8.part/lib64")
    assert "mv -T /opt/cuda-12.8.part /opt/cuda-12.8" in last
    base = "https://developer.download.nvidia.com/compute/cuda/redist"
    assert any(f"{base}/libcublas/linux-x86_64/" in text for text in host.stdin)


def test_a_tarball_of_another_sum_is_not_unpacked() -> None:
    host = on(DEBIAN_13)
    host.answers = {
        "--head": ("7",), "boxwright-fetch": ("0 200 7",), "sha256sum": ("0" * 64,),
    }  # fmt: skip
    brought(host, TARBALLS)
    assert host.refusal is not None and "cuda_nvcc-linux-x86_64-12.8.93" in host.refusal
    assert not any("tar --extract" in text for text in host.sent)


def test_a_mirror_that_does_not_answer_is_named() -> None:
    host = on(DEBIAN_13)
    host.data.values["runtime_cuda_redist_url"] = "http://mirror.lan/redist/"
    host.answers = {"--head": ("curl: (7) Failed to connect",)}
    brought(host, TARBALLS)
    assert host.refusal is not None
    assert "http://mirror.lan/redist/cuda_nvcc/" in host.refusal and "(7)" in host.refusal


def test_the_commands_make_a_toolkit_of_real_tarballs(tmp_path: Path) -> None:
    """Two archives in NVIDIA's layout, unpacked by the very commands."""
    downloads, root = tmp_path / "downloads", tmp_path / "cuda"
    downloads.mkdir()
    names = {"cuda_nvcc-1-archive": "bin/nvcc", "cuda_cudart-1-archive": "lib/libcudart.so.12"}
    tarballs = []
    for top, inside in names.items():
        file = tmp_path / top / inside
        file.parent.mkdir(parents=True)
        file.write_text(top)
        with tarfile.open(downloads / f"{top}.tar.xz", "w:xz") as archive:
            archive.add(tmp_path / top, arcname=top)
        tarballs.append(Tarball(f"x/{top}.tar.xz", "0" * 64))
    plan = ToolkitPlan("12.8", "redistributable", str(root), 1, tarballs=tuple(tarballs))
    host = on(DEBIAN_13)
    with ctx_host.use(host), pytest.MonkeyPatch.context() as patch:
        patch.setattr(role, "DOWNLOADS", str(downloads))
        patch.setattr(role, "_fetched", nothing)
        for command in role._unpacked(plan):
            assert isinstance(command, StringCommand)
            subprocess.run(["sh", "-c", command.get_raw_value()], check=True)
    assert (root / "bin/nvcc").read_text() == "cuda_nvcc-1-archive"
    assert (root / "lib64/libcudart.so.12").read_text() == "cuda_cudart-1-archive"
    assert list(downloads.iterdir()) == []


def nothing(*_: Any) -> Any:
    """Nothing is to be fetched."""
    return None
    yield


LDD = """\
cat <<'END'
\tlinux-vdso.so.1 (0x00007fff)
\tlibggml-base.so.0 => /x/libggml-base.so.0 (0x0)
\tlibcudart.so.12 => {lib}/libcudart.so.12 (0x0)
\tlibcublas.so.12 => {lib}/libcublas.so.12 (0x0)
\tlibcuda.so.1 => /usr/lib/libcuda.so.1 (0x0)
\tlibcublasLt.so.12 => {lib}/libcublasLt.so.12 (0x0)
END"""


@pytest.mark.parametrize("lacks", [None, "libcublasLt"])
def test_cuda_s_libraries_are_laid_beside_the_binary_but_not_the_driver_s(
    tmp_path: Path, lacks: str | None
) -> None:
    runtime = plan_on(DEBIAN_12, PASCAL).runtime
    assert runtime is not None and runtime.source is not None
    lib, stage, tools = (tmp_path / name for name in ("lib", "stage", "tools"))
    for directory in (lib, stage, tools):
        directory.mkdir()
    for name in ("libcudart", "libcublas", "libcublasLt"):
        (lib / f"{name}.so.12.8.1").write_text(name)
        (lib / f"{name}.so.12").symlink_to(f"{name}.so.12.8.1")
    said = "\n".join(
        line for line in LDD.format(lib=lib).splitlines() if lacks is None or lacks not in line
    )
    asked = list(collected(runtime, runtime.source, str(stage)))[-1]
    assert isinstance(asked, StringCommand)
    with programs(tools, ldd=said) as directory:
        done = subprocess.run(
            ["sh", "-c", asked.get_raw_value()], env={"PATH": f"{directory}:/usr/bin:/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    present = {file.name for file in stage.iterdir()}
    expected = {"libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12"}
    assert present == {name for name in expected if not lacks or not name.startswith(f"{lacks}.")}
    assert not any(file.is_symlink() for file in stage.iterdir())

    host = on(DEBIAN_12)
    host.answers["ldd"] = tuple(done.stdout.splitlines())
    planned = Planned(runtime, "/opt/llama.cpp", False)

    @operation
    def step() -> Any:
        assert planned.runtime.source is not None
        failed = yield from collected(planned.runtime, planned.runtime.source, str(stage))
        if failed is not None:
            yield from refuse(failed)

    host.run(step)
    assert (host.refusal is None) is (lacks is None)
    assert lacks is None or lacks in str(host.refusal)

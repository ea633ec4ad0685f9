"""The unit that compiles, in a real shell: its script, how it is watched, what it leaves behind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roles.runtime import build, leftovers, operations
from roles.runtime.leftovers import BuildLeftovers
from tests.integration.building import BUILD, together
from tests.unit.plans import DEBIAN_12, PASCAL, plan_on
from tests.unit.role_host import RoleHost
from tests.unit.shell import answered, programs


def test_the_script_of_the_unit_is_shell_and_holds_every_option(
    build_host: Callable[..., RoleHost], tmp_path: Path
) -> None:
    host = build_host("one")
    together(host)
    script = next(text for text in host.stdin if "cmake -S source" in text)
    # CMake is played by a program that prints its arguments, one a line
    with programs(tmp_path, cmake='printf "%s\\n" "$@"') as directory:
        script = script.replace(f"cd {BUILD}", f"cd {tmp_path}")
        path = f"{directory}:/usr/bin:/bin"
        subprocess.run(
            ["sh", "-c", script], env={"PATH": path, "JOBS": "8"}, check=True, timeout=120
        )
    words = (tmp_path / "log").read_text().splitlines()
    assert words[:4] == ["-S", "source", "-B", "out"]
    assert "-DCMAKE_INSTALL_RPATH=$ORIGIN" in words and "-DGGML_CPU_ALL_VARIANTS=ON" in words
    assert "-DLLAMA_BUILD_NUMBER=11669" in words and "-DLLAMA_BUILD_COMMIT=0c1e570" in words
    assert words[-4:] == ["--build", "out", "--parallel", "8"]
    assert (tmp_path / "status").read_text() == "0\n"


def test_cuda_s_kernels_are_compiled_first(tmp_path: Path) -> None:
    """They take longest, and are what a toolkit or a host compiler fails at."""
    runtime = plan_on(DEBIAN_12, PASCAL).runtime
    assert runtime is not None and runtime.source is not None
    script = build.script_of(runtime, runtime.source, "0c1e570")
    script = script.replace(f"cd {build.directory_of(runtime)}", f"cd {tmp_path}")
    with programs(tmp_path, cmake='echo "$@"; test "$6" != ggml-cuda || exit 3') as directory:
        path = f"{directory}:/usr/bin:/bin"
        subprocess.run(["sh", "-c", script], env={"PATH": path, "JOBS": "4"}, check=True)
    first, second = (tmp_path / "log").read_text().splitlines()
    assert "-DCMAKE_CUDA_ARCHITECTURES=61-real" in first
    assert second == "--build out --parallel 4 --target ggml-cuda"
    assert (tmp_path / "status").read_text() == "3\n"


@pytest.fixture
def systemctl(tmp_path: Path) -> Iterator[Path]:
    """A systemctl that knows one active unit, named in a file."""
    with programs(
        tmp_path, systemctl=f'test "$3" = "$(cat {tmp_path}/active 2>/dev/null)"'
    ) as directory:
        yield directory


def watched(directory: Path, unit: str, seconds: int = 0) -> str:
    done = subprocess.run(
        ["sh", "-c", build.WATCH, "boxwright-watch", unit, str(directory), str(seconds)],
        env={"PATH": f"{directory}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_watch_tells_state_exit_status_and_progress(systemctl: Path) -> None:
    assert watched(systemctl, "b.service") == "ended - -"
    (systemctl / "active").write_text("b.service")
    (systemctl / "log").write_text("-- configuring\n[1/9] cc\n[2/9] cc\nsome [9/9] text\n")
    assert watched(systemctl, "b.service", 1) == "running - [2/9]"
    (systemctl / "active").unlink()
    (systemctl / "status").write_text("1\n")
    assert watched(systemctl, "b.service", 30) == "ended 1 [2/9]"


def test_leftovers_are_builds_that_no_unit_works_on(
    systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BUILDS", "PACKED", "DOWNLOADS"):
        monkeypatch.setattr(leftovers, name, f"{systemctl}/{name.lower()}")
    toolkits = leftovers.UNPACKING.replace("/opt", str(systemctl))
    monkeypatch.setattr(leftovers, "UNPACKING", toolkits)
    assert answered(BuildLeftovers, systemctl, also=["/nowhere"]) == ()
    for name in ("running", "old"):
        (systemctl / "builds" / name).mkdir(parents=True)
    (systemctl / "packed").mkdir()
    (systemctl / "packed" / "a.tar.gz").touch()
    for name in ("cuda-12.8.part", "cuda-12.8", "cuda-mine.part"):
        (systemctl / name).mkdir()
    (systemctl / "active").write_text("boxwright-build-running.service")
    also = str(systemctl / "active")
    assert answered(BuildLeftovers, systemctl, also=[also, "/nowhere"]) == (
        f"{systemctl}/builds/old", f"{systemctl}/packed/a.tar.gz", f"{systemctl}/cuda-12.8.part",
        also,
    )  # fmt: skip


def test_leftovers_go(build_host: Callable[..., RoleHost]) -> None:
    host = build_host("one")
    host.facts[BuildLeftovers] = (BUILD, "/etc/apt/sources.list.d/boxwright-cuda.sources")
    (sent,) = host.run(operations.tidy_releases)
    assert re.search(rf"rm -rf -- .*{BUILD} /etc/apt/sources.list.d/boxwright-cuda.sources", sent)

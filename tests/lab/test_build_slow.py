"""Real builds from source by the runtime role: half an hour and more each (pytest -m slow).

llama.cpp b11434 from its own sources, on a host that is killed in the middle and resumed; what came
of it served by two hosts, of which one compiled nothing. And CUDA's kernels for a Pascal card,
compiled by Debian's toolkit.
"""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab.conftest import RunningLab, say
from tests.lab.far import Far, key_of
from tests.lab.hosts import host_named
from tests.lab.lifecycle import boot_fresh
from tests.lab.runs import ROOT, Run, command, environment, run, spares

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BUILD = "b11434"
RELEASE = f"{BUILD}-src-cpu-x86_64"
BUILDS = "/var/cache/boxwright/build"
BUILD_TIMEOUT_S = 3 * 3600.0
POLL_S = 5.0
CPU = {"model": "tiny-moe", "runtime_build": BUILD, "runtime_compile": "always"}
CUDA_RELEASE = f"{BUILD}-src-cuda12.4_61-x86_64"
CUDA_OBJECTS = 20


def killed_when(lab: RunningLab, inventory: str, come: Callable[[], bool]) -> str:
    """Run deploy/all.py and kill it as soon as `come` answers yes; what it had said."""
    with tempfile.TemporaryFile("w+") as log:
        running = subprocess.Popen(
            command(inventory, "deploy/all.py"), cwd=ROOT, env=environment(lab),
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
        deadline = time.monotonic() + BUILD_TIMEOUT_S
        try:
            while not come() and running.poll() is None and time.monotonic() < deadline:
                time.sleep(POLL_S)
            alive = running.poll() is None
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()
        log.seek(0)
        said = log.read()
    assert alive, said[-6000:]
    return said


def done_of(far: Far, release: str) -> int:
    """How many steps of a build are done, by its log."""
    said = far.run(f"grep -aoE '^\\[[0-9]+/' {BUILDS}/{release}/log | tail -n 1").stdout
    return int(said.strip(" [/\n") or 0)


def main_pid(far: Far, release: str) -> str:
    return far.said(f"systemctl show -P MainPID boxwright-build-{release}.service")


# -- one compiles, another is given ------------------------------------------------------------


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packs")


@pytest.fixture(scope="module")
def inventory(lab: RunningLab, packs: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    boot_fresh(lab.lab, [host_named("builder"), host_named("twin")], say)
    data: dict[str, Any] = {**CPU, "runtime_packs_directory": str(packs)}
    return spares(lab, tmp_path_factory.mktemp("alike"), {"builder": data, "twin": data})


@pytest.fixture(scope="module")
def resumed(lab: RunningLab, inventory: str) -> Iterator[tuple[Run, str]]:
    """A run that was killed while it compiled, then a whole one; and which host compiled."""
    hosts = [Far(lab, name) for name in ("builder", "twin")]

    def compiling() -> list[Far]:
        return [far for far in hosts if done_of(far, RELEASE) >= 20]

    killed_when(lab, inventory, lambda: bool(compiling()))
    (far,) = compiling()
    name, before, began = far.name, done_of(far, RELEASE), main_pid(far, RELEASE)
    assert began != "0", "the build goes on without the run that began it"
    time.sleep(POLL_S)
    assert main_pid(far, RELEASE) == began and done_of(far, RELEASE) >= before
    whole = run(lab, inventory, timeout_s=BUILD_TIMEOUT_S)
    say(f"{name} compiled {RELEASE}")
    yield whole, name


def test_two_hosts_serve_what_one_of_them_compiled(
    lab: RunningLab, resumed: tuple[Run, str]
) -> None:
    whole, compiled = resumed
    assert whole.code == 0, whole.log[-6000:]
    assert "is compiling already: waiting for it" in whole.log
    for name in ("builder", "twin"):
        far = Far(lab, name)
        assert far.said("readlink /opt/llama.cpp/current") == RELEASE
        version = far.said("/opt/llama.cpp/current/llama-server --version 2>&1")
        assert f"(build {BUILD[1:]}" in version or f"version: {BUILD[1:]} " in version
        tools = far.run("dpkg-query -W -f '${Status} ' cmake ninja-build g++ ccache").stdout
        assert ("install ok installed" in tools) == (name == compiled)
        assert (far.run("test -d /var/cache/boxwright/ccache").returncode == 0) == (
            name == compiled
        )
        assert far.run(f"ls {BUILDS} 2>/dev/null").stdout == ""


def test_they_have_the_same_files_and_answer_a_chat(
    lab: RunningLab, resumed: tuple[Run, str]
) -> None:
    files = "find . -type f ! -name boxwright.json | sort | xargs sha256sum"
    sums = f"cd /opt/llama.cpp/current && {files}"
    one, two = (Far(lab, name).said(sums) for name in ("builder", "twin"))
    assert one == two and "libggml-cpu-haswell.so" in one
    asked = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    bearer = {"Authorization": f"Bearer {key_of(lab)}"}
    with httpx.Client(trust_env=False, timeout=120) as client:
        for name in ("builder", "twin"):
            url = f"{Far(lab, name).base_url}/v1/chat/completions"
            answer = client.post(url, json=asked, headers=bearer)
            assert answer.status_code == 200
            assert answer.json()["usage"]["completion_tokens"] >= 1


def test_a_second_run_changes_nothing(
    lab: RunningLab, inventory: str, resumed: tuple[Run, str]
) -> None:
    again = run(lab, inventory)
    assert again.code == 0, again.log[-6000:]
    assert (again.totals["success"], again.totals["error"]) == (0, 0)


def test_a_host_that_was_installed_anew_takes_the_pack_that_was_kept(
    lab: RunningLab, inventory: str, packs: Path, resumed: tuple[Run, str]
) -> None:
    (pack,) = packs.glob("*.tar.gz")
    assert pack.name == f"{BUILD}-cpu-glibc2.36-x86_64.tar.gz"
    boot_fresh(lab.lab, [host_named("builder")], say)
    began = time.monotonic()
    again = run(lab, inventory)
    say(f"installed anew from the pack after {time.monotonic() - began:.0f} s")
    assert again.code == 0, again.log[-6000:]
    far = Far(lab, "builder")
    assert far.said("readlink /opt/llama.cpp/current") == RELEASE
    assert far.run("command -v cmake").returncode != 0


# -- CUDA --------------------------------------------------------------------------------------


def test_debian_s_toolkit_compiles_the_kernels_for_pascal(lab: RunningLab, tmp_path: Path) -> None:
    """The first objects of ggml-cuda, linked into a library whose code is for sm_61 alone."""
    boot_fresh(lab.lab, [host_named("cudabuilder")], say)
    far, out = Far(lab, "cudabuilder"), f"{BUILDS}/{CUDA_RELEASE}/out"
    objects = f"find {out} -name '*.cu.o' -size +0"
    data = {"model": "tiny-moe", "runtime_build": BUILD}
    inventory = spares(lab, tmp_path, {"cudabuilder": data})

    def enough() -> bool:
        return len(far.run(objects).stdout.split()) >= CUDA_OBJECTS + 4

    began = time.monotonic()
    killed_when(lab, inventory, enough)
    far.said(f"systemctl stop boxwright-build-{CUDA_RELEASE}.service")
    say(f"{CUDA_OBJECTS} CUDA objects after {(time.monotonic() - began) / 60:.0f} min")
    # the newest may have been cut short when the build was stopped
    oldest = f"{objects} -printf '%T@ %p\\n' | sort -n | head -n {CUDA_OBJECTS} | cut -d ' ' -f 2"
    far.said(f"g++ -shared -o /tmp/part.so $({oldest}) -L{out}/bin -lcudart")
    code = far.said("cuobjdump --list-elf /tmp/part.so").splitlines()
    assert len(code) >= CUDA_OBJECTS and all(".sm_61.cubin" in line for line in code), code[:5]
    ptx = far.run("cuobjdump --list-ptx /tmp/part.so").stdout
    assert ".ptx" not in ptx, "SASS only: a driver of any 12.x runs it"
    release = far.said("dpkg-query -W -f '${Version}' nvidia-cuda-toolkit")
    assert release.startswith("12.4.")
    compiler = far.said(f"grep CMAKE_CUDA_HOST_COMPILER: {out}/CMakeCache.txt")
    assert compiler.endswith("g++-13")

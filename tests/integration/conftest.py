"""Runs of their own for tests of supply and of builds, and a Hub on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from boxwright import supply
from boxwright.supply import http
from roles.runtime import compiling
from roles.runtime.share import Round
from tests.integration import building
from tests.integration.supply_servers import serving
from tests.integration.supply_world import World
from tests.unit.gguf_files import dense_keys, dense_tensors, write, write_shards
from tests.unit.role_host import RoleHost


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy that this machine is set to use stands before a test's own servers."""
    for name in [one for one in os.environ if one.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def fresh_supply(direct: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No answers of other tests, a cache of one's own, waits that a test can wait for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(http, "RETRY_WAITS_S", (0.01, 0.01, 0.01))
    supply.forget()
    yield
    supply.forget()


@pytest.fixture
def world(fresh_supply: None, tmp_path: Path) -> Iterator[World]:
    """A Hub with one repository: the model in three shards, another quant, a projector."""
    directory = tmp_path / "files"
    directory.mkdir()
    tensors = dense_tensors()
    parts = [tensors[:1], tensors[1:9], tensors[9:]]
    shards = write_shards(directory, "Tiny-Q4_K_M", "llama", dense_keys(), parts, tokens=50)
    files = {f"Q4_K_M/{path.name}": path for path in shards}
    other = write(directory / "Tiny-Q8_0.gguf", "llama", dense_keys(), dense_tensors())
    files["Tiny-Q8_0.gguf"] = other
    files["mmproj-F16.gguf"] = other
    readme = directory / "README.md"
    readme.write_text("a model")
    files["README.md"] = readme
    with serving(World(files=files, sha256_of={"README.md": None})) as served:
        yield served


@pytest.fixture
def build_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., RoleHost]:
    """Makes hosts that compile, in a run of their own, from a server that has every source."""
    monkeypatch.setattr(compiling, "_round", Round())
    monkeypatch.setattr(compiling, "_unfit", set())
    monkeypatch.setattr(compiling, "_ungiven", set())
    monkeypatch.setattr(supply, "source_tree", lambda *_: building.URL)
    return partial(building.host_that_builds, tmp_path / "packs")

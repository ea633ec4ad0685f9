"""Release assets resolved against the GitHub releases API over HTTP, and its refusals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from boxwright import supply
from boxwright.operation.options import Endpoints
from tests.integration.supply_servers import serving
from tests.integration.supply_world import World

CUDA = "llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz"
RUNTIME = "cudart-llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz"


def asset(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "size": 123456,
        "state": "uploaded",
        "digest": "sha256:" + "ef" * 32,
        "browser_download_url": f"https://host.invalid/download/{name}",
        **more,
    }


@pytest.fixture
def world(fresh_supply: None) -> Iterator[World]:
    release = {"tag_name": "b11669", "assets": [asset(CUDA), asset(RUNTIME)]}
    with serving(World(releases={"ggml-org/llama.cpp/releases/tags/b11669": release})) as served:
        yield served


def ask(world: World, *names: str, build: str = "b11669",
        **more: Any) -> tuple[supply.ReleaseAsset, ...] | supply.Failure:  # fmt: skip
    endpoints = replace(Endpoints(runtime_release_api_url=world.hub_url), **more)
    return supply.release_assets(build, names, endpoints)


def failure(world: World, *names: str, **more: Any) -> supply.Failure:
    answer = ask(world, *names, **more)
    assert isinstance(answer, supply.Failure), answer
    assert "\n" not in answer.sentence()
    return answer


def test_assets_in_the_order_asked_for(world: World) -> None:
    answer = ask(world, RUNTIME, CUDA)
    assert isinstance(answer, tuple)
    assert [one.name for one in answer] == [RUNTIME, CUDA]
    assert answer[1] == supply.ReleaseAsset(
        name=CUDA,
        url=f"https://host.invalid/download/{CUDA}",
        size_bytes=123456,
        sha256="ef" * 32,
    )


def test_a_missing_asset_names_those_that_are_there(world: World) -> None:
    told = failure(world, CUDA, "llama-b11669-bin-ubuntu-cuda-99-x64.tar.gz")
    assert "has no asset llama-b11669-bin-ubuntu-cuda-99-x64.tar.gz;" in told.reason
    assert f"the assets that are there: {RUNTIME}, {CUDA}" in told.reason
    assert "runtime_build" in told.cure


def test_an_unknown_build(world: World) -> None:
    told = failure(world, CUDA, build="b1")
    assert f"{world.hub_url} knows no release b1 of ggml-org/llama.cpp (HTTP 404)" == told.reason


def test_a_build_name_cannot_leave_its_place_in_the_url(world: World) -> None:
    failure(world, CUDA, build="../../../secrets?x")
    assert world.log[0].target.endswith("/tags/..%2F..%2F..%2Fsecrets%3Fx")


@pytest.mark.parametrize(
    ("status", "headers", "cure"),
    [
        (403, {"X-RateLimit-Remaining": "0"}, "run again in an hour"),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "+600"}, "run again in 1"),
        (429, {"Retry-After": "3000"}, "run again in 51 minutes"),
    ],
)
def test_the_rate_limit(world: World, status: int, headers: dict[str, str], cure: str) -> None:
    made = {
        name: str(int(time.time()) + int(value)) if value.startswith("+") else value
        for name, value in headers.items()
    }
    world.release_answer = (status, made, b"{}")
    told = failure(world, CUDA)
    assert f"limits requests (HTTP {status}, none left)" in told.reason
    assert cure in told.cure
    assert "runtime_release_api_url" in told.cure
    assert len(world.log) == 1


def test_other_refusals_are_no_rate_limit(world: World) -> None:
    world.release_answer = (403, {"X-RateLimit-Remaining": "59"}, b"{}")
    assert "answered HTTP 403" in failure(world, CUDA).reason


def test_passing_faults_are_waited_out_and_lasting_ones_end(world: World) -> None:
    world.fail_next = [500, 502, 503]
    assert isinstance(ask(world, CUDA), tuple)
    supply.forget()
    world.log.clear()
    world.release_answer = (500, {}, b"")
    assert "answered HTTP 500" in failure(world, CUDA).reason
    assert len(world.log) == 4


@pytest.mark.parametrize(
    "row",
    [
        asset(CUDA, digest=None),
        asset(CUDA, digest="md5:00"),
        asset(CUDA, digest="sha256:short"),
        asset(CUDA, size=None),
        asset(CUDA, browser_download_url=None),
    ],
)
def test_an_asset_that_could_not_be_checked(world: World, row: dict[str, Any]) -> None:
    world.releases["ggml-org/llama.cpp/releases/tags/b11669"]["assets"] = [row]
    assert "needs a sha256, a size and a URL" in failure(world, CUDA).reason


def test_an_asset_that_is_still_being_uploaded(world: World) -> None:
    row = asset(CUDA, state="starter")
    world.releases["ggml-org/llama.cpp/releases/tags/b11669"]["assets"] = [row]
    assert "the release is still being made" in failure(world, CUDA).reason


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"assets": [1]}', b'{"message": "x"}'])
def test_an_answer_that_is_no_release(world: World, body: bytes) -> None:
    world.release_answer = (200, {}, body)
    assert "something that is no release" in failure(world, CUDA).reason


def test_the_hub_token_is_not_sent_to_the_release_server(world: World, tmp_path: Any) -> None:
    token = tmp_path / "token"
    token.write_text("hf_secret")
    assert isinstance(ask(world, CUDA, models_hub_token_file=str(token)), tuple)
    assert all("Authorization" not in one.headers for one in world.log)

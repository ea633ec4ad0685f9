"""What the Hub is asked and answers: pages, mirrors, tokens, refusals, faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxwright import supply
from tests.integration.supply_asked import failure, found
from tests.integration.supply_world import TOKEN, World


def test_listings_of_many_pages_are_read_to_the_end(world: World) -> None:
    world.page_entries = 1
    assert len(found(world).files) == 3


def test_a_mirror_whose_pages_link_to_the_original_stays_the_mirror(world: World) -> None:
    """A link to a host that does not exist; the token would have gone there too."""
    world.page_entries, world.link_host = 2, "http://original.invalid"
    assert len(found(world).files) == 3


def test_a_renamed_repository_is_followed(world: World) -> None:
    world.renamed_to = "lab/other-GGUF"
    assert len(found(world).files) == 3


def test_the_token_goes_to_the_hub_and_nowhere_else(world: World, tmp_path: Path) -> None:
    """The storage server refuses a request that carries it, as real ones do."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\nsecond line\n")
    world.needs_token = True
    assert len(found(world, models_hub_token_file=str(token)).files) == 3
    assert world.asked("storage")
    for one in world.log:
        assert ("Authorization" in one.headers) == (one.server == "hub")


@pytest.mark.parametrize("given", [None, "hf_anothertoken"])
def test_a_gated_repository(world: World, tmp_path: Path, given: str | None) -> None:
    world.needs_token = True
    file = None
    if given:
        file = str(tmp_path / "token")
        Path(file).write_text(given)
    told = failure(world, models_hub_token_file=file)
    assert "lab/model-GGUF" in told.reason
    assert "HTTP 401, GatedRepo" in told.reason
    assert f"{world.hub_url}/lab/model-GGUF" in told.cure
    assert ("no token was given" in told.reason) == (given is None)
    assert "anothertoken" not in told.sentence()


@pytest.mark.parametrize(
    ("answer", "says", "cure"),
    [
        ((401, {"X-Error-Code": "RepoNotFound"}), "does not exist, or is private", "token_file"),
        ((404, {"X-Error-Code": "RepoNotFound"}), "does not exist (HTTP 404", "models_catalog"),
        ((404, {"X-Error-Code": "RevisionNotFound"}), "no revision main", "revision"),
        ((403, {}), "HTTP 403", "models_hub_token_file"),
        ((429, {"RateLimit": '"resolvers";r=0;t=123'}), "limits requests", "run again in 124 s"),
        ((418, {}), "answered HTTP 418", "models_hub_url"),
    ],
)
def test_refusals_say_what_to_do(
    world: World, answer: tuple[int, dict[str, str]], says: str, cure: str
) -> None:
    world.refuse = answer
    told = failure(world)
    assert says in told.reason
    assert cure in told.cure
    assert len(world.log) == 1


def test_passing_faults_are_waited_out(world: World) -> None:
    world.fail_next = [429, 503, 502]
    world.storage_fails = [503, 500]
    assert len(found(world).files) == 3


def test_lasting_faults_end_after_a_bounded_number_of_requests(world: World) -> None:
    world.refuse = (500, {})
    told = failure(world)
    assert told.reason == (f"{world.hub_url} answered HTTP 500 for lab/model-GGUF, needs HTTP 200")
    assert len(world.log) == 4


def test_a_hub_that_cannot_be_reached(world: World) -> None:
    told = failure(world, models_hub_url="http://127.0.0.1:9")
    assert "http://127.0.0.1:9 could not be reached in 4 attempts" in told.reason
    assert "models_hub_url" in told.cure


@pytest.mark.parametrize("url", ["", "huggingface.co", "ftp://x", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_url(world: World, url: str) -> None:
    told = failure(world, models_hub_url=url)
    assert f"models_hub_url is '{url}', needs a URL" in told.reason


def test_an_answer_that_is_no_listing(world: World) -> None:
    for body in (b"<html>welcome to the captive portal", b'{"error": "x"}', b"[1]", b"\xff\xfe"):
        supply.forget()
        world.body = body
        assert "something that is no file listing" in failure(world).reason


def test_a_token_file_that_cannot_be_read(world: World, tmp_path: Path) -> None:
    told = failure(world, models_hub_token_file=str(tmp_path / "none"))
    assert "cannot be read (No such file or directory)" in told.reason
    assert not world.log


@pytest.mark.parametrize("content", [b"", b"\n", b"two\twords", "häßlich".encode()])
def test_a_token_that_is_none(world: World, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    assert "is no token" in failure(world, models_hub_token_file=str(file)).reason

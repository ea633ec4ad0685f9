"""Models resolved against a Hub over HTTP: listing, commit, headers by Range, faults, refusals."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boxwright import supply
from boxwright.gguf import read_shape
from boxwright.operation.options import Endpoints
from boxwright.plan.known import ModelChoice
from boxwright.supply import http
from tests.integration.supply_servers import TOKEN, World, serving
from tests.unit.gguf_files import dense_keys, dense_tensors, write, write_shards

CHOICE = ModelChoice(name="tiny", quant="Q4_K_M", repository="lab/model-GGUF", revision="main")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No answers of other tests, a cache of one's own, waits that a test can wait for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(http, "RETRY_WAITS_S", (0.01, 0.01, 0.01))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    supply.forget()
    yield
    supply.forget()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
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


def ends(world: World, **more: object) -> Endpoints:
    return replace(Endpoints(models_hub_url=world.hub_url), **more)  # type: ignore[arg-type]


def found(world: World, choice: ModelChoice = CHOICE, **more: object) -> supply.ResolvedModel:
    answer = supply.model_from_hub(choice, ends(world, **more))
    assert isinstance(answer, supply.ResolvedModel), answer
    return answer


def failure(world: World, choice: ModelChoice = CHOICE, **more: object) -> supply.Failure:
    answer = supply.model_from_hub(choice, ends(world, **more))
    assert isinstance(answer, supply.Failure), answer
    assert "\n" not in answer.sentence()
    assert not answer.reason.endswith(".")
    assert not answer.cure.endswith(".")
    return answer


def test_a_quant_becomes_files_a_commit_and_a_shape(world: World) -> None:
    model = found(world)
    names = [f"Q4_K_M/Tiny-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    assert [file.name for file in model.files] == names
    for file in model.files:
        assert file.size_bytes == world.files[file.name].stat().st_size
        assert file.sha256 is not None
        assert len(file.sha256) == 64
    assert model.commit == world.commit
    assert model.shape == read_shape([world.files[name] for name in names])


def test_names_of_the_catalog_are_taken_as_they_are(world: World) -> None:
    model = found(world, replace(CHOICE, names=("Tiny-Q8_0.gguf",)))
    assert [file.name for file in model.files] == ["Tiny-Q8_0.gguf"]


def test_a_commit_as_revision_is_not_asked_for_again(world: World) -> None:
    model = found(world, replace(CHOICE, revision=world.commit))
    assert model.commit == world.commit
    listings = [one for one in world.asked("hub") if one.target.startswith("/api/")]
    assert len(listings) == 1


def test_a_branch_that_moves_meanwhile_gives_one_commit(world: World, tmp_path: Path) -> None:
    """The first listing is of the old commit; what is returned belongs to the new one alone."""
    new = write(tmp_path / "new.gguf", "llama", dense_keys(block_count=2), dense_tensors(2))
    world.move_main_to = ("c" * 40, {**world.files, "Tiny-Q8_0.gguf": new})
    model = found(world, replace(CHOICE, quant="Q8_0"))
    assert model.commit == "c" * 40
    assert model.files[0].size_bytes == new.stat().st_size
    assert len(model.shape.layers) == 2


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


def test_signed_urls_that_expire_are_renewed(world: World) -> None:
    world.uses_per_signature = 1
    write_big_vocabulary(world)
    assert found(world, replace(CHOICE, quant="BIG")).shape.vocabulary == 100_000
    assert [one.status for one in world.asked("storage")].count(403) >= 1


def test_signed_urls_that_are_never_good_are_given_up(world: World) -> None:
    world.uses_per_signature = 0
    told = failure(world)
    assert "gave 0 of the first" in told.reason
    assert "HTTP 403" in told.reason
    assert len(world.asked("storage")) == 4


def write_big_vocabulary(world: World) -> Path:
    path = next(iter(world.files.values())).parent / "Tiny-BIG.gguf"
    write(path, "llama", dense_keys(), dense_tensors(), tokens=100_000)
    world.files["Tiny-BIG.gguf"] = path
    return path


def test_a_transfer_that_breaks_off_goes_on_where_it_broke(world: World) -> None:
    path = write_big_vocabulary(world)
    world.storage_stops_after = 700_000
    model = found(world, replace(CHOICE, quant="BIG"))
    assert model.shape == read_shape([path])
    starts = [one.headers["Range"] for one in world.asked("storage")]
    assert starts[0].startswith("bytes=0-")
    assert starts[1].startswith("bytes=700000-")


def test_a_storage_that_ignores_ranges_still_serves(world: World) -> None:
    path = write_big_vocabulary(world)
    world.ignores_range = True
    assert found(world, replace(CHOICE, quant="BIG")).shape == read_shape([path])


def test_headers_of_a_large_model_take_less_than_16_mib(world: World, tmp_path: Path) -> None:
    """A vocabulary as large as Qwen3.5's, in four shards of a model of 60 GiB."""
    from tests.unit.gguf_files import qwen35_122b

    keys, tensors = qwen35_122b()
    cut = len(tensors) // 4
    parts = [tensors[index * cut : (index + 1) * cut] for index in range(3)]
    parts.append(tensors[3 * cut :])
    shards = write_shards(tmp_path, "Big-Q5", "qwen35moe", keys, parts, tokens=248_320)
    world.files |= {path.name: path for path in shards}
    shape = found(world, replace(CHOICE, quant="Q5")).shape
    assert shape.vocabulary == 248_320
    assert shape.file_bytes > 60 * 1024**3
    # what is still in the sockets when the reader has enough counts as sent here
    assert world.sent_bytes() < 16 * 1024**2
    assert len(world.asked("storage")) <= 9


def test_a_file_of_another_size_than_listed(world: World, tmp_path: Path) -> None:
    path = world.files["Tiny-Q8_0.gguf"]
    listed = path.stat().st_size
    shorter = tmp_path / "shorter.gguf"
    shorter.write_bytes(path.read_bytes()[:4096])
    world.signed = _AlwaysShort(str(shorter))
    told = failure(world, replace(CHOICE, quant="Q8_0"))
    assert "Tiny-Q8_0.gguf is 4096 bytes long in the Hub's storage" in told.reason
    assert f"needs the {listed} of its listing" in told.reason


class _AlwaysShort(dict[str, tuple[str, int]]):
    """Storage that gives one file for every signature."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def __setitem__(self, key: str, value: tuple[str, int]) -> None:
        super().__setitem__(key, (self.path, value[1]))


def test_a_file_that_is_no_gguf(world: World, tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_bytes(b"<!doctype html>" + b" " * 5000)
    world.files["Tiny-Q2_K.gguf"] = page
    told = failure(world, replace(CHOICE, quant="Q2_K"))
    assert "page.gguf" not in told.reason
    assert "Tiny-Q2_K.gguf begins with '<!do', needs 'GGUF'" in told.reason


def test_pins_that_differ_from_the_hub(world: World) -> None:
    name = "Tiny-Q8_0.gguf"
    pinned = replace(CHOICE, names=(name,), sha256={name: "0" * 64})
    told = failure(world, pinned)
    assert f"the catalog pins {'0' * 64}" in told.reason
    assert not world.asked("storage")

    told = failure(world, replace(CHOICE, names=(name,), size_bytes={name: 17}))
    assert "the catalog pins 17 bytes" in told.reason


def test_pins_that_agree(world: World) -> None:
    name = "Tiny-Q8_0.gguf"
    world.sha256_of[name] = "ab" * 32
    size = world.files[name].stat().st_size
    pinned = replace(CHOICE, names=(name,), sha256={name: "AB" * 32}, size_bytes={name: size})
    assert found(world, pinned).files[0].sha256 == "ab" * 32


def test_a_file_without_a_checksum_needs_a_pin(world: World) -> None:
    name = "Tiny-Q8_0.gguf"
    world.sha256_of[name] = None
    assert "has no sha256 on the Hub" in failure(world, replace(CHOICE, quant="Q8_0")).reason
    pinned = replace(CHOICE, names=(name,), sha256={name: "cd" * 32})
    assert found(world, pinned).files[0].sha256 == "cd" * 32


def test_a_name_that_is_not_there(world: World) -> None:
    told = failure(world, replace(CHOICE, names=("Tiny-Q9_9.gguf",)))
    assert "has no file Tiny-Q9_9.gguf" in told.reason
    assert "the quants that are there: Q4_K_M, Q8_0" in told.reason


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


def test_the_proxy_option_reaches_the_hub_and_storage(world: World) -> None:
    found(world, proxy_url=world.proxy_url, proxy_exceptions="localhost")
    assert len(world.asked("proxy")) == len(world.asked("hub")) + len(world.asked("storage"))


def test_proxy_exceptions_are_asked_directly(world: World) -> None:
    found(world, proxy_url="http://127.0.0.1:9", proxy_exceptions="localhost,127.0.0.0/8")
    assert not world.asked("proxy")


def test_a_dead_proxy_is_named(world: World) -> None:
    told = failure(world, proxy_url="http://127.0.0.1:9", proxy_exceptions="")
    assert "through proxy_url http://127.0.0.1:9" in told.reason


def test_a_proxy_that_is_no_url(world: World) -> None:
    assert "proxy_url is 'nonsense'" in failure(world, proxy_url="nonsense").reason


def test_a_later_run_fetches_no_headers(world: World) -> None:
    first = found(world)
    fetched = len(world.asked("storage"))
    supply.forget()  # a later run
    assert found(world) == first
    assert len(world.asked("storage")) == fetched


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "boxwright.shape/1"}', "\x00" * 64])
def test_a_corrupt_cache_file_is_ignored_and_rewritten(
    world: World, tmp_path: Path, content: str
) -> None:
    first = found(world)
    (file,) = (tmp_path / "cache").rglob("*.json")
    good = file.read_text()
    file.write_text(content)
    supply.forget()
    assert found(world) == first
    assert file.read_text() == good
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_cached_shape_with_a_wrong_type_is_read_anew(world: World, tmp_path: Path) -> None:
    first = found(world)
    (file,) = (tmp_path / "cache").rglob("*.json")
    document = json.loads(file.read_text())
    document["shape"]["layers"][0]["dense_bytes"] = "many"
    file.write_text(json.dumps(document))
    supply.forget()
    assert found(world) == first


def test_a_cached_shape_of_another_commit_is_read_anew(world: World, tmp_path: Path) -> None:
    first = found(world)
    (file,) = (tmp_path / "cache").rglob("*.json")
    document = json.loads(file.read_text())
    document["commit"], document["shape"]["hidden_size"] = "e" * 40, 1
    file.write_text(json.dumps(document))
    supply.forget()
    assert found(world) == first


def test_a_new_commit_is_read_anew(world: World) -> None:
    found(world)
    fetched = len(world.asked("storage"))
    world.commit = "d" * 40
    supply.forget()
    assert found(world).commit == "d" * 40
    assert len(world.asked("storage")) > fetched


def test_a_cache_that_cannot_be_written_is_no_error(world: World, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    assert len(found(world).files) == 3


def test_no_log_holds_the_token_or_a_signed_url(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with caplog.at_level(logging.DEBUG):
        found(world, models_hub_token_file=str(token))
    assert TOKEN not in caplog.text
    assert "X-Signature" not in caplog.text


def test_a_dead_proxy_is_named_without_its_password(world: World) -> None:
    told = failure(world, proxy_url="http://user:secret@127.0.0.1:9", proxy_exceptions="")
    assert "through proxy_url http://127.0.0.1:9 in 4 attempts" in told.reason
    assert "secret" not in told.sentence()

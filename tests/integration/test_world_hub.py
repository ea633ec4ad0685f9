"""The lab's Hub speaks as the real one does: reference/peers.md, section F."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration import serving
from tests.lab.world import hub

COMMIT = "5" * 40
REPOSITORY = "someone/some-GGUF"
WEIGHTS = bytes(range(256)) * 8192
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
README = b"# A model\n"

HTTP = httpx.Client(verify=False, trust_env=False, headers={"Connection": "close"})


@dataclass(frozen=True)
class RunningHub:
    url: str
    log: Path
    faults: Path

    def misbehave(self, **rules: Any) -> None:
        self.faults.write_text(json.dumps({REPOSITORY: rules}))

    def resolve(self, file: str = "Q8_0/weights.gguf", revision: str = "main") -> str:
        return f"{self.url}/{REPOSITORY}/resolve/{revision}/{file}"

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    repository = tmp_path / "hub" / REPOSITORY
    (repository / "Q8_0").mkdir(parents=True)
    (repository / "Q8_0/weights.gguf").write_bytes(WEIGHTS)
    (repository / "README.md").write_bytes(README)
    files = [
        {"path": "Q8_0/weights.gguf", "size": len(WEIGHTS), "oid": "1" * 40, "sha256": SHA256},
        {"path": "README.md", "size": len(README), "oid": "2" * 40, "sha256": None},
    ]
    (repository / "repository.json").write_text(json.dumps({"commit": COMMIT, "files": files}))
    log, faults = tmp_path / "hub.log", tmp_path / "faults.json"
    servers = hub.servers(tmp_path / "hub", ("127.0.0.1", 0), log, faults)
    with serving.running(*servers) as url:
        yield RunningHub(url, log, faults)


def tree(running: RunningHub, query: str) -> httpx.Response:
    return HTTP.get(f"{running.url}/api/models/{REPOSITORY}/tree/main{query}")


def test_the_tree_tells_size_and_sha256_of_weights(running: RunningHub) -> None:
    rows = {row["path"]: row for row in tree(running, "?recursive=true").json()}
    assert rows["Q8_0"]["type"] == "directory"
    assert rows["README.md"] == {
        "type": "file", "oid": "2" * 40, "size": len(README), "path": "README.md",
    }  # fmt: skip
    weights = rows["Q8_0/weights.gguf"]
    assert weights["lfs"] == {"oid": SHA256, "size": len(WEIGHTS), "pointerSize": 134}


def test_the_tree_without_recursion_stops_at_folders(running: RunningHub) -> None:
    assert {row["path"] for row in tree(running, "").json()} == {"Q8_0", "README.md"}
    assert [row["path"] for row in tree(running, "/Q8_0").json()] == ["Q8_0/weights.gguf"]


def test_pages_link_to_the_next_one(running: RunningHub) -> None:
    found, url = [], f"{running.url}/api/models/{REPOSITORY}/tree/main?recursive=true&limit=1"
    while url:
        page = HTTP.get(url)
        assert len(page.json()) == 1
        found += [row["path"] for row in page.json()]
        url = page.links.get("next", {}).get("url", "")
    assert sorted(found) == ["Q8_0", "Q8_0/weights.gguf", "README.md"]


def test_the_model_tells_its_commit(running: RunningHub) -> None:
    for path in ("", "/revision/main", f"/revision/{COMMIT}"):
        model = HTTP.get(f"{running.url}/api/models/{REPOSITORY}{path}?blobs=true").json()
        assert model["sha"] == COMMIT
        assert model["siblings"][0]["lfs"]["sha256"] == SHA256


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_weights_are_a_redirect_to_another_host(running: RunningHub, method: str) -> None:
    answer = HTTP.request(method, running.resolve())
    assert answer.status_code == 302
    assert answer.headers["X-Repo-Commit"] == COMMIT
    assert answer.headers["X-Linked-Etag"] == f'"{SHA256}"'
    assert answer.headers["X-Linked-Size"] == str(len(WEIGHTS))
    assert urlsplit(answer.headers["Location"]).netloc != urlsplit(running.url).netloc
    content = HTTP.get(answer.headers["Location"]).content
    assert hashlib.sha256(content).hexdigest() == SHA256


def test_small_files_come_straight(running: RunningHub) -> None:
    answer = HTTP.get(running.resolve("README.md", COMMIT))
    assert (answer.status_code, answer.content) == (200, README)
    assert answer.headers["ETag"] == f'"{"2" * 40}"'


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [("bytes=0-99", 0, 100), ("bytes=2097000-", 2097000, 2097152), ("bytes=-7", 2097145, 2097152)],
)
def test_ranges(running: RunningHub, asked: str, first: int, end: int) -> None:
    answer = HTTP.get(running.resolve(), headers={"Range": asked}, follow_redirects=True)
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(WEIGHTS)}"
    assert answer.content == WEIGHTS[first:end]


def test_a_range_outside_the_file(running: RunningHub) -> None:
    answer = HTTP.get(
        running.resolve(), headers={"Range": f"bytes={len(WEIGHTS)}-"}, follow_redirects=True
    )
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(WEIGHTS)}"


def test_links_expire_and_cannot_be_made_up(running: RunningHub) -> None:
    running.misbehave(expire_s=-1)
    expired = HTTP.get(running.resolve(), follow_redirects=True)
    assert expired.status_code == 403
    assert "expired" in expired.text
    running.misbehave()
    link = HTTP.get(running.resolve()).headers["Location"]
    later = httpx.URL(link).copy_set_param("Expires", "9999999999")
    assert HTTP.get(link).status_code == 200
    assert HTTP.get(later).status_code == 403
    assert HTTP.get(link.partition("?")[0]).status_code == 403


def test_a_gated_repository(running: RunningHub) -> None:
    running.misbehave(gated=True, token="granted")
    nobody = HTTP.get(running.resolve())
    assert (nobody.status_code, nobody.headers["X-Error-Code"]) == (401, "GatedRepo")
    stranger = HTTP.get(running.resolve(), headers={"Authorization": "Bearer other"})
    assert (stranger.status_code, stranger.headers["X-Error-Code"]) == (403, "GatedRepo")
    known = HTTP.get(running.resolve(), headers={"Authorization": "Bearer granted"})
    assert known.status_code == 302
    assert tree(running, "").status_code == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/models/someone/nothing/tree/main", "RepoNotFound"),
        ("/someone/nothing/resolve/main/x.gguf", "RepoNotFound"),
        (f"/api/models/{REPOSITORY}/tree/v9", "RevisionNotFound"),
        (f"/{REPOSITORY}/resolve/v9/README.md", "RevisionNotFound"),
        (f"/{REPOSITORY}/resolve/main/absent.gguf", "EntryNotFound"),
        (f"/{REPOSITORY}/resolve/main/..%2f..%2f..%2fhub.log", "EntryNotFound"),
        ("/..%2fhub/x/resolve/main/y", "RepoNotFound"),
    ],
)
def test_what_is_not_there(running: RunningHub, path: str, code: str) -> None:
    answer = HTTP.get(running.url + path)
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, code)


def test_a_broken_hub(running: RunningHub) -> None:
    running.misbehave(status=500)
    assert tree(running, "").status_code == 500
    assert HTTP.get(running.resolve()).status_code == 500


def test_corrupt_bytes_have_the_right_size_and_another_sha256(running: RunningHub) -> None:
    running.misbehave(corrupt=True)
    content = HTTP.get(running.resolve(), follow_redirects=True).content
    assert len(content) == len(WEIGHTS)
    assert hashlib.sha256(content).hexdigest() != SHA256


def test_a_cut_transfer_can_be_resumed(running: RunningHub) -> None:
    running.misbehave(cut_after=1_500_000)
    have = b""
    with (
        pytest.raises(httpx.RemoteProtocolError),
        HTTP.stream("GET", running.resolve(), follow_redirects=True) as answer,
    ):
        for block in answer.iter_raw():
            have += block
    assert len(have) == 1_500_000
    rest = {"Range": f"bytes={len(have)}-"}
    have += HTTP.get(running.resolve(), headers=rest, follow_redirects=True).content
    assert hashlib.sha256(have).hexdigest() == SHA256


def test_the_log_sums_the_bytes_each_client_was_sent(running: RunningHub) -> None:
    HTTP.head(running.resolve(), follow_redirects=True)
    HTTP.get(running.resolve(), headers={"Range": "bytes=0-9"}, follow_redirects=True)
    HTTP.get(running.resolve(), follow_redirects=True)
    weights = [row for row in running.rows() if row["service"] == "cdn"]
    assert [row["bytes_sent"] for row in weights] == [0, 10, len(WEIGHTS)]
    assert {row["client"] for row in weights} == {"127.0.0.1"}
    assert [row["status"] for row in running.rows()][:2] == [302, 200]

"""The lab's release server speaks GitHub's API; its tarballs have upstream's layout."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.serving import running
from tests.lab.world import github, releases

TARBALL = b"not really a tarball" * 4096
REPOSITORY = "ggml-org/llama.cpp"

HTTP = httpx.Client(verify=False, trust_env=False, headers={"Connection": "close"})


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    for tag in ("b9999", "b10068"):
        directory = tmp_path / REPOSITORY / tag
        directory.mkdir(parents=True)
        (directory / "a.tar.gz").write_bytes(TARBALL)
        digest = hashlib.sha256(TARBALL).hexdigest()
        row = {"name": "a.tar.gz", "size": len(TARBALL), "sha256": digest}
        (directory / "assets.json").write_text(json.dumps({"tag": tag, "assets": [row]}))
    servers = github.servers(tmp_path, ("127.0.0.1", 0), tmp_path / "log")
    with running(*servers) as address:
        yield address


def test_a_release_by_tag(url: str) -> None:
    release = HTTP.get(f"{url}/repos/{REPOSITORY}/releases/tags/b9999").json()
    assert (release["tag_name"], release["prerelease"]) == ("b9999", True)
    (asset,) = release["assets"]
    assert (asset["name"], asset["size"]) == ("a.tar.gz", len(TARBALL))
    assert asset["digest"] == "sha256:" + hashlib.sha256(TARBALL).hexdigest()


def test_the_latest_release_is_the_highest_number(url: str) -> None:
    releases_url = f"{url}/repos/{REPOSITORY}/releases"
    assert HTTP.get(f"{releases_url}/latest").json()["tag_name"] == "b10068"
    assert [row["tag_name"] for row in HTTP.get(releases_url).json()] == ["b10068", "b9999"]


def test_downloads_are_redirected_to_another_host(url: str) -> None:
    release = HTTP.get(f"{url}/repos/{REPOSITORY}/releases/tags/b9999").json()
    download = release["assets"][0]["browser_download_url"]
    redirect = HTTP.get(download)
    assert redirect.status_code == 302
    link = redirect.headers["Location"]
    assert urlsplit(link).netloc != urlsplit(url).netloc
    assert HTTP.get(link).content == TARBALL
    part = HTTP.get(link, headers={"Range": "bytes=100-"})
    assert (part.status_code, part.content) == (206, TARBALL[100:])
    assert HTTP.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        f"/repos/{REPOSITORY}/releases/tags/b1",
        "/repos/nobody/nothing/releases/latest",
        "/repos/..%2f/x/releases/latest",
        f"/{REPOSITORY}/releases/download/b9999/absent.tar.gz",
        "/",
    ],
)
def test_what_is_not_there(url: str, path: str) -> None:
    assert HTTP.get(url + path).status_code == 404


def make_tree(root: Path, mtime: int) -> Path:
    tree = root / "llama-b1"
    tree.mkdir(parents=True)
    for name, mode in (("llama-server", 0o755), ("libz.so.1.0", 0o644), ("a", 0o600)):
        (tree / name).write_text(name)
        (tree / name).chmod(mode)
        os.utime(tree / name, (mtime, mtime))
    (tree / "libz.so").symlink_to("libz.so.1.0")
    return tree


def test_equal_trees_give_equal_tarballs(tmp_path: Path) -> None:
    targets = []
    for number in (1, 2):
        target = tmp_path / f"{number}.tar.gz"
        releases.pack(make_tree(tmp_path / str(number), number * 1000), target)
        targets.append(target.read_bytes())
    assert targets[0] == targets[1]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(targets[0]))) as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert sorted(members) == [
        "llama-b1", "llama-b1/a", "llama-b1/libz.so", "llama-b1/libz.so.1.0",
        "llama-b1/llama-server",
    ]  # fmt: skip
    assert members["llama-b1/llama-server"].mode == 0o755
    assert members["llama-b1/libz.so"].linkname == "libz.so.1.0"
    assert {(member.uid, member.mtime) for member in members.values()} == {(0, 0)}


def test_rows_name_upstreams_assets() -> None:
    rows = {str(row["asset"]): row for row in releases.asset_rows()}
    row = rows["llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz"]
    assert row["cudart"] == "cudart-llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz"
    assert "61-virtual" in str(row["archs"])
    assert "61-virtual" not in str(rows["llama-b11669-bin-ubuntu-cuda-13.4-x64.tar.gz"]["archs"])
    assert rows["llama-b11669-bin-ubuntu-x64.tar.gz"]["cuda"] is None

"""The lab's release server gives sources as GitHub does: a redirect, then what git archive packs.

The shapes are those of a recorded download of 2021-03-24 (octokit/fixtures, get-archive).
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.integration.serving import running
from tests.lab.world import fetch, github

REPOSITORY, TAG = "ggml-org/llama.cpp", "b11434"
HTTP = httpx.Client(verify=False, trust_env=False, headers={"Connection": "close"})
RECORDED_REDIRECT = {"content-type": "text/html;charset=utf-8", "content-length": "0"}
RECORDED_TARBALL = bytes.fromhex(
    "1f8b0800000000000003edd5dd4ac3301407f05efb1403afa3f94e77e185e02ebdf105469aa65d716d4696c91edff8"
    "71e1265390ba31f6ff5148490ae724a7a75dd9edbc5d86ca2ee70b6f6b1f8bf1d14c6bfd3e66fb635e940593946b25"
    "94a132cf33a9382dda7fc8e59bcd3ad99843c610d24fcffdb6bebfb933a1f8c485bef743ba6b4459f18a5a612a6b68"
    "23987265ada695b6a6d1baf1d49576dab8f2ead439c378824be1b94ba4e9b669133d09b125a95f91b5f3838d5d20ad"
    "4fc446b7e85e3ce194332ab8a492e54b71413aba5d0ce4f3cdb93d10e3ad1f8c5187fb3fdfeff63f57d288421de300"
    "2ebcff47adffd3ecfee17176d3d7bb313ebefff270fd99daafbf3632ff2f8e7100175effebc997029f3a1900000000"
    "0000000000000000000000f89357e79cc33100280000"
)
"""What GitHub sent for a repository with one README.md."""


# the names of headers in an archive end at 100 characters; longer ones are kept apart
LONG = f"ggml/{'very-' * 30}long.cu"


def small_sdist(requirement: str, directory: Path) -> None:
    """A source distribution like the real one, of four files."""
    name = requirement.replace("-", "_").replace("==", "-")
    files = {
        "setup.py": 0o644, "llama.cpp/CMakeLists.txt": 0o600, "llama.cpp/ci/run.sh": 0o755,
        f"llama.cpp/{LONG}": 0o644,
    }  # fmt: skip
    with tarfile.open(directory / f"{name}.tar.gz", "w:gz") as archive:
        for path, mode in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.mode, member.uid, member.uname = mode, 1001, "runner"
            member.size = len(path)
            archive.addfile(member, io.BytesIO(path.encode()))


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    asked: list[str] = []

    def fetched(requirement: str, directory: Path) -> None:
        assert not asked, "packed once, served from then on"
        asked.append(requirement)
        small_sdist(requirement, directory)

    monkeypatch.setattr(fetch, "sdist", fetched)
    servers = github.servers(tmp_path / "releases", ("127.0.0.1", 0), tmp_path / "log")
    with running(*servers) as address:
        yield address


def opened(content: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(content)))


@pytest.mark.parametrize("ref", [TAG, f"refs/tags/{TAG}"])
def test_the_api_redirects_to_another_host(url: str, tmp_path: Path, ref: str) -> None:
    answer = HTTP.get(f"{url}/repos/{REPOSITORY}/tarball/{ref}")
    assert answer.status_code == 302
    assert RECORDED_REDIRECT.items() <= dict(answer.headers).items()
    link = urlsplit(answer.headers["Location"])
    assert link.netloc != urlsplit(url).netloc
    assert link.path == f"/{REPOSITORY}/legacy.tar.gz/refs/tags/{TAG}"
    assert not link.query
    assert not (tmp_path / "sources").exists(), "nothing is packed before it is fetched"


def test_the_tree_comes_as_git_archive_packs_it(url: str) -> None:
    link = f"{url}/repos/{REPOSITORY}/tarball/{TAG}"
    first, second = (HTTP.get(link, follow_redirects=True) for _ in range(2))
    assert first.status_code == 200
    assert first.content == second.content
    assert first.headers["Content-Type"] == "application/x-gzip"
    archive, recorded = opened(first.content), opened(RECORDED_TARBALL)
    commit = archive.pax_headers["comment"]
    assert len(commit) == len(recorded.pax_headers["comment"]) == 40
    top = f"ggml-org-llama.cpp-{commit[:7]}"
    assert first.headers["Content-Disposition"] == f"attachment; filename={top}.tar.gz"
    names = [f"{top}/CMakeLists.txt", f"{top}/ci/run.sh", f"{top}/{LONG}"]
    assert sorted(archive.getnames()) == names
    (real,) = [member for member in recorded if member.isfile()]
    ours, runs, _ = archive.getmembers()
    assert (ours.mode, ours.uid, ours.uname) == (real.mode, real.uid, real.uname)
    assert runs.mode == 0o775
    content = archive.extractfile(ours)
    assert content is not None and content.read() == b"llama.cpp/CMakeLists.txt"


def test_ranges_are_not_known_there(url: str) -> None:
    link = f"{url}/repos/{REPOSITORY}/tarball/{TAG}"
    answer = HTTP.get(link, headers={"Range": "bytes=100-"}, follow_redirects=True)
    assert answer.status_code == 200
    assert "Accept-Ranges" not in answer.headers
    assert len(answer.content) == int(answer.headers["Content-Length"])


@pytest.mark.parametrize(
    ("repository", "ref"), [(REPOSITORY, "b1"), ("nobody/nothing", TAG), (REPOSITORY, "a/b")]
)
def test_a_ref_that_does_not_exist(url: str, repository: str, ref: str) -> None:
    answer = HTTP.get(f"{url}/repos/{repository}/tarball/{ref}")
    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found"
    link = HTTP.get(f"{url}/repos/{REPOSITORY}/tarball/{TAG}").headers["Location"]
    assert HTTP.get(link.replace(TAG, "b1")).status_code == 404

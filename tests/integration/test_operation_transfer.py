"""Transfers, with real curl, flock and a small server: resume, faults, sums, locks, secrets."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pyinfra.api import StringCommand
from pyinfra.context import ctx_host

from boxwright.operation import Ask, Download, Endpoints, curl_quoted, transfer
from boxwright.plan.results import Refusal
from tests.integration.download_site import BODY, TOKEN, Site, serving_site

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("flock")), reason="needs curl and flock"
)
SHA256 = hashlib.sha256(BODY).hexdigest()


class Listener:
    """Stands where pyinfra's host is, and hears what is logged."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def log(self, text: str) -> None:
        self.heard.append(text)


@dataclass
class Sent:
    """What was sent to the host's shell, and the outcome."""

    refusal: Refusal | None
    commands: list[str]
    heard: list[str]


@pytest.fixture
def site(direct: None) -> Iterator[Site]:
    with serving_site() as site:
        yield site


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Download], Sent]:
    monkeypatch.setattr(transfer, "RETRY_WAITS_S", (0, 0, 0))

    def runner(item: Download) -> Sent:
        listener = Listener()
        commands: list[str] = []
        with ctx_host.use(listener):
            steps = transfer.fetch(item, Endpoints())
            while True:
                try:
                    command = next(steps)
                except StopIteration as end:
                    return Sent(end.value, commands, listener.heard)
                assert isinstance(command, StringCommand)
                commands.append(command.get_raw_value())
                _execute(command)

    return runner


def _execute(command: StringCommand) -> None:
    stdin = str(command.connector_arguments.get("_stdin", ""))
    done = subprocess.run(
        ["sh", "-c", command.get_raw_value()], input=stdin, text=True, capture_output=True
    )
    if isinstance(command, Ask):
        command.succeeded = done.returncode == 0
        command.lines = tuple(done.stdout.splitlines())
        command.said = tuple(done.stderr.splitlines())
    else:
        assert done.returncode == 0, done.stderr


@pytest.fixture
def item(site: Site, tmp_path: Path) -> Download:
    return Download(f"{site.url}/file", str(tmp_path / "it is" / "model.gguf"), len(BODY), SHA256)


def test_a_file_comes_whole_and_gets_its_name_last(
    run: Callable[[Download], Sent], item: Download
) -> None:
    sent = run(item)
    assert sent.refusal is None
    assert Path(item.path).read_bytes() == BODY
    assert not Path(item.part).exists()


def test_what_is_there_is_not_fetched_again(
    run: Callable[[Download], Sent], item: Download, site: Site
) -> None:
    Path(item.part).parent.mkdir()
    Path(item.part).write_bytes(BODY[:100_000])
    assert run(item).refusal is None
    assert [asked for _, asked, _ in site.asked] == ["bytes=100000-"]
    assert Path(item.path).read_bytes() == BODY


def test_a_part_that_is_whole_is_only_checked(
    run: Callable[[Download], Sent], item: Download, site: Site
) -> None:
    Path(item.part).parent.mkdir()
    Path(item.part).write_bytes(BODY)
    assert run(item).refusal is None
    assert site.asked == []


def test_broken_connections_are_resumed(
    run: Callable[[Download], Sent], item: Download, site: Site
) -> None:
    site.cut_after, site.cuts = 70_000, 3
    assert run(item).refusal is None
    assert [asked for _, asked, _ in site.asked] == [
        None, "bytes=70000-", "bytes=140000-", "bytes=210000-",
    ]  # fmt: skip
    assert Path(item.path).read_bytes() == BODY


def test_a_server_without_ranges_is_asked_from_the_start(
    run: Callable[[Download], Sent], item: Download, site: Site
) -> None:
    Path(item.part).parent.mkdir()
    Path(item.part).write_bytes(b"x" * 1000)
    site.ranges = False
    assert run(item).refusal is None
    assert Path(item.path).read_bytes() == BODY


def test_a_part_that_is_too_long_is_begun_anew(
    run: Callable[[Download], Sent], item: Download, site: Site
) -> None:
    Path(item.part).parent.mkdir()
    Path(item.part).write_bytes(BODY + b"more")
    assert run(item).refusal is None
    assert Path(item.path).read_bytes() == BODY


def test_a_wrong_sum_is_refused_with_both_sums_and_leaves_nothing(
    run: Callable[[Download], Sent], item: Download, site: Site
) -> None:
    site.body = bytes(len(BODY))
    sent = run(item)
    assert sent.refusal is not None
    assert SHA256 in sent.refusal.reason
    assert hashlib.sha256(bytes(len(BODY))).hexdigest() in sent.refusal.reason
    assert not Path(item.part).exists() and not Path(item.path).exists()


@pytest.mark.parametrize(("status", "requests"), [(401, 1), (404, 1), (500, 4), (403, 4)])
def test_an_error_of_the_server_is_refused_and_only_hopeful_ones_are_tried_again(
    run: Callable[[Download], Sent], item: Download, site: Site, status: int, requests: int
) -> None:
    site.status = status
    sent = run(replace(item, unreachable_cure="name a mirror"))
    assert sent.refusal is not None
    assert str(status) in sent.refusal.reason
    assert sent.refusal.cure == "name a mirror"
    assert len(site.asked) == requests
    assert not Path(item.path).exists()


def test_the_token_goes_to_its_own_host_only_and_into_no_argument_or_repr(
    run: Callable[[Download], Sent], item: Download, site: Site
) -> None:
    secret = replace(
        item, url=f"{site.url}/resolve/file", headers=(f"Authorization: Bearer {TOKEN}",)
    )
    sent = run(secret)
    assert sent.refusal is None
    assert [(path, key) for path, _, key in site.asked] == [
        ("/resolve/file", f"Bearer {TOKEN}"), ("/cdn", None),
    ]  # fmt: skip
    shown = "\n".join([*sent.commands, *sent.heard, repr(secret)])
    assert TOKEN not in shown


def test_two_never_write_one_part(
    run: Callable[[Download], Sent], item: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PIECE", transfer.PIECE.replace("--wait 90", "--wait 0.2"))
    Path(item.part).parent.mkdir()
    with Path(item.part).open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sent = run(item)
    assert sent.refusal is not None and "another process" in sent.refusal.reason
    assert Path(item.part).stat().st_size == 0


def test_a_url_cannot_smuggle_another_option_into_curls_config() -> None:
    with pytest.raises(ValueError):
        curl_quoted('http://x/"\noutput = "/etc/passwd')
    assert curl_quoted('a"b\\c') == '"a\\"b\\\\c"'

"""How a host's server is asked: the real shell and curl, a real server, the key in no argument."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from boxwright.operation import server_ask
from tests.integration.serving import running

KEY = "correct-horse-battery"


class Server:
    """Keeps what it was asked, and answers with it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.arguments: list[str] = []


def arguments_of_all() -> list[str]:
    """What every user of the machine could read while the question is being answered."""
    words = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # a process may end at any moment
            words.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return words


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    kept = Server()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept.asked.append(
                {
                    "path": self.path,
                    "method": self.command,
                    "key": self.headers.get("Authorization"),
                    "body": json.loads(body) if body else None,
                }
            )
            kept.arguments += arguments_of_all()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"timings": {"predicted_n": 1}}')

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield kept, url


def run(url: str, body: dict[str, Any] | None, key: str | None) -> str:
    ask = server_ask(url, body, 20, key)
    told = str(ask.connector_arguments["_stdin"])
    done = subprocess.run(
        ["sh", "-c", ask.get_raw_value()], input=told, capture_output=True, text=True, check=True
    )
    return str(done.stdout)


def test_a_long_question_arrives_whole_and_the_key_in_no_argument(
    server: tuple[Server, str], tmp_path: Path
) -> None:
    """curl before 8.1 reads no line of its settings that is longer than 100 KB."""
    kept, url = server
    body = {"prompt": list(range(40_000)), "text": "two\n\nlines"}
    assert "timings" in run(f"{url}/completion", body, KEY)
    [asked] = kept.asked
    assert (asked["method"], asked["path"]) == ("POST", "/completion")
    assert asked["key"] == f"Bearer {KEY}"
    assert asked["body"] == body
    assert any("curl" in words for words in kept.arguments)
    assert not any(KEY in words for words in kept.arguments)


def test_a_page_is_got_without_a_body_and_without_a_key(server: tuple[Server, str]) -> None:
    kept, url = server
    run(f"{url}/props", None, None)
    assert kept.asked == [{"path": "/props", "method": "GET", "key": None, "body": None}]

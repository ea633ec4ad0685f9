"""A site that files are downloaded from: with ranges or without, cut off, refusing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.serving import running

BODY = random.Random(7).randbytes(300_000)
TOKEN = "hf_verysecret"  # made up


@dataclass
class Site:
    """What the server was asked, and how it is to behave."""

    url: str = ""
    ranges: bool = True
    status: int = 0  # answer everything with this status
    cut_after: int = 0  # close the connection after so many bytes, while `cuts` last
    cuts: int = 0
    body: bytes = BODY
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)


@contextmanager
def serving_site() -> Iterator[Site]:
    """The site on a free port of this machine, until the end of the block."""
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            return

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            made.asked.append((self.path, asked, self.headers.get("Authorization")))
            if self.path.startswith("/resolve"):
                other = made.url.replace("127.0.0.1", "localhost") + "/cdn"
                self.send_response(302)
                self.send_header("Location", other)
                self.end_headers()
                return
            if made.status:
                self.send_error(made.status)
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and made.ranges else 0
            self.send_response(206 if start else 200)
            if start:
                whole = len(made.body)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.send_header("Content-Length", str(len(made.body) - start))
            self.end_headers()
            rest = made.body[start:]
            if made.cuts:
                made.cuts -= 1
                rest = rest[: made.cut_after]
            self.wfile.write(rest)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with running(server) as made.url:
        yield made

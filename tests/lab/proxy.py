"""A small forwarding HTTP proxy that remembers what it was asked for, as a site has one."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "proxy-connection", "keep-alive", "transfer-encoding"}
BLOCK = 1 << 20


@dataclass
class Asked:
    """Every request so far, as (client address, URL)."""

    requests: list[tuple[str, str]] = field(default_factory=list)

    def urls_of(self, client: str) -> list[str]:
        """What one client asked for."""
        return [url for address, url in self.requests if address == client]


class _Forward(BaseHTTPRequestHandler):
    def __init__(self, *args: object, asked: Asked) -> None:
        self.asked = asked
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.asked.requests.append((self.client_address[0], self.path))
        url = urlsplit(self.path)
        upstream = http.client.HTTPConnection(url.netloc, timeout=180)
        sent = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        path = url.path + (f"?{url.query}" if url.query else "")
        upstream.request(self.command, path or "/", headers=sent)
        answer = upstream.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | {"date", "server"}:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while block := answer.read(BLOCK):
            self.wfile.write(block)
        self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: `asked` remembers."""


@contextmanager
def proxy_on(address: str) -> Iterator[tuple[str, Asked]]:
    """A proxy on a free port of this address, until the end of the block: its URL, its memory."""
    asked = Asked()
    server = ThreadingHTTPServer((address, 0), partial(_Forward, asked=asked))
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://{address}:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        serving.join()

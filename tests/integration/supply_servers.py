"""Servers on 127.0.0.1 that speak the Hub's and GitHub's APIs, with faults that tests switch on.

Written after reference/peers.md, F: the Hub lists and redirects, storage on another origin sends
bytes for signed URLs that expire, and only to requests without the Hub's token.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.serving import running, url_of
from tests.integration.supply_hub import HubHandler
from tests.integration.supply_world import Handler, World


class _StorageHandler(Handler):
    server_name = "storage"

    def do_GET(self) -> None:
        world = self.world
        path, uses = world.signed.get(urlsplit(self.path).path.lstrip("/"), ("", 0))
        if "Authorization" in self.headers:
            self.answer(400, {}, b"two authorizations")
        elif world.storage_fails:
            self.answer(world.storage_fails.pop(0), {})
        elif uses <= 0:
            self.answer(403, {}, b"Request has expired")
        else:
            world.signed[urlsplit(self.path).path.lstrip("/")] = (path, uses - 1)
            self.send(Path(path))

    def send(self, path: Path) -> None:
        world, size = self.world, path.stat().st_size
        start, end, status = 0, size - 1, 200
        headers = {}
        if "Range" in self.headers and not world.ignores_range:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(int(last), size - 1), 206
            if start >= size:
                self.answer(416, {"Content-Range": f"bytes */{size}"})
                return
            if world.storage_starts_at is not None:
                start = world.storage_starts_at
            headers["Content-Range"] = world.storage_range or f"bytes {start}-{end}/{size}"
        request = self.answer(status, {**headers, "Content-Length": str(end - start + 1)})
        left = end - start + 1
        if world.storage_stops_after is not None:
            left = min(left, world.storage_stops_after)
            self.close_connection = True
        at_once, pause_s = world.storage_drips or (65536, 0.0)
        with path.open("rb") as file:
            file.seek(start)
            while left > 0:
                time.sleep(pause_s)
                chunk = file.read(min(left, at_once))
                try:
                    self.wfile.write(chunk)
                except OSError:  # the other side has enough
                    self.close_connection = True
                    return
                left -= len(chunk)
                request.sent_bytes += len(chunk)


class _ProxyHandler(Handler):
    """A forward proxy for plain HTTP that relays nothing: it answers from the Hub's own handler."""

    server_name = "proxy"

    def do_GET(self) -> None:
        import httpx

        with httpx.Client(trust_env=False) as client:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("host", "connection", "proxy-connection")
            }
            response = client.request(self.command, self.path, headers=headers)
            kept = {
                name: value
                for name, value in response.headers.items()
                if name not in ("connection", "transfer-encoding", "date", "server")
            }
            self.answer(response.status_code, kept, response.content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that has enough hangs up: no news. Anything else is told as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(world: World) -> Iterator[World]:
    """The three servers, on ports of their own; `world` gets their URLs."""
    servers = []
    for handler, attribute in (
        (HubHandler, "hub_url"),
        (_StorageHandler, "storage_url"),
        (_ProxyHandler, "proxy_url"),
    ):
        bound = type(handler.__name__, (handler,), {"world": world})
        servers.append(_Server(("127.0.0.1", 0), bound))
        setattr(world, attribute, url_of(servers[-1]))
    with running(*servers):
        yield world

"""Servers on 127.0.0.1 that speak the Hub's and GitHub's APIs, with faults that tests switch on.

Written after reference/peers.md, F: the Hub lists and redirects, storage on another origin sends
bytes for signed URLs that expire, and only to requests without the Hub's token.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_testtoken0123456789"


@dataclass
class Request:
    """One request as a server saw it."""

    server: str
    method: str
    target: str
    headers: dict[str, str]
    status: int
    sent_bytes: int = 0


@dataclass
class World:
    """What the servers hold and how they misbehave; `log` is what they were asked."""

    files: dict[str, Path] = field(default_factory=dict)
    commit: str = "a" * 40
    repository: str = "lab/model-GGUF"
    sha256_of: dict[str, str | None] = field(default_factory=dict)
    page_entries: int = 1000
    needs_token: bool = False
    refuse: tuple[int, dict[str, str]] | None = None  # the Hub answers this to everything
    fail_next: list[int] = field(default_factory=list)  # statuses of the Hub's next answers
    move_main_to: tuple[str, dict[str, Path]] | None = None  # once main has been listed
    uses_per_signature: int = 1000
    storage_fails: list[int] = field(default_factory=list)
    storage_stops_after: int | None = None  # bytes, then the connection is closed
    ignores_range: bool = False
    link_host: str | None = None
    renamed_to: str | None = None
    body: bytes | None = None  # the Hub answers this to listings
    releases: dict[str, Any] = field(default_factory=dict)
    release_answer: tuple[int, dict[str, str], bytes] | None = None
    log: list[Request] = field(default_factory=list)
    signed: dict[str, tuple[str, int]] = field(default_factory=dict)
    old: dict[str, dict[str, Path]] = field(default_factory=dict)
    hub_url: str = ""
    storage_url: str = ""
    proxy_url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, server: str) -> list[Request]:
        """The requests that one of the servers got."""
        return [one for one in self.log if one.server == server]

    def sent_bytes(self) -> int:
        """How much of the files themselves left the storage."""
        return sum(one.sent_bytes for one in self.asked("storage"))

    def tree(self, revision: str) -> dict[str, Path] | None:
        if revision in ("main", self.commit):
            return self.files
        return self.old.get(revision)


class _Handler(BaseHTTPRequestHandler):
    world: World
    server_name = ""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Silence: `World.log` is the log."""

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> Request:
        request = Request(self.server_name, self.command, self.path, dict(self.headers), status)
        with self.world.lock:
            self.world.log.append(request)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and body:
            self.wfile.write(body)
        return request

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        raise NotImplementedError


class _Hub(_Handler):
    server_name = "hub"

    def do_GET(self) -> None:
        world, parts = self.world, urlsplit(self.path)
        if world.fail_next:
            status = world.fail_next.pop(0)
            self.answer(status, {}, b"passing trouble")
        elif world.refuse is not None:
            self.answer(world.refuse[0], world.refuse[1])
        elif world.needs_token and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"X-Error-Code": "GatedRepo"})
        elif parts.path.startswith("/repos/"):
            self.release(parts.path)
        elif parts.path.startswith("/api/models/"):
            self.listing(parts.path, parse_qs(parts.query))
        else:
            self.resolve(unquote(parts.path))

    def moved(self, path: str) -> bool:
        world = self.world
        if world.renamed_to is None or f"/{world.repository}/" not in path:
            return False
        self.answer(307, {"Location": path.replace(world.repository, world.renamed_to)})
        return True

    def listing(self, path: str, query: dict[str, list[str]]) -> None:
        world = self.world
        if world.body is not None:
            self.answer(200, {"Content-Type": "text/html"}, world.body)
            return
        if self.moved(path):
            return
        repository, _, revision = path.removeprefix("/api/models/").partition("/tree/")
        files = world.tree(unquote(revision))
        if repository not in (world.repository, world.renamed_to):
            self.answer(401, {"X-Error-Code": "RepoNotFound"})
            return
        if files is None:
            self.answer(404, {"X-Error-Code": "RevisionNotFound"})
            return
        start = int(query.get("cursor", ["0"])[0])
        names = sorted(files)
        page = names[start : start + world.page_entries]
        entries: list[dict[str, Any]] = [{"type": "directory", "oid": "0", "size": 0, "path": "x"}]
        entries += [self.entry(name, files[name]) for name in page]
        headers = {"Content-Type": "application/json"}
        if start + world.page_entries < len(names):
            base = world.link_host or world.hub_url
            following = f"{base}{path}?recursive=true&cursor={start + world.page_entries}"
            headers["Link"] = f'<{following}>; rel="next"'
        self.answer(200, headers, json.dumps(entries).encode())
        if unquote(revision) == "main" and world.move_main_to is not None:
            world.old[world.commit] = world.files
            world.commit, world.files = world.move_main_to
            world.move_main_to = None

    def entry(self, name: str, path: Path) -> dict[str, Any]:
        size = path.stat().st_size
        sha256 = self.world.sha256_of.get(name, hashlib.sha256(name.encode()).hexdigest())
        entry = {"type": "file", "oid": "b" * 40, "size": size, "path": name}
        if sha256 is not None:
            entry["lfs"] = {"oid": sha256, "size": size, "pointerSize": 135}
        return entry

    def resolve(self, path: str) -> None:
        world = self.world
        if self.moved(path):
            return
        repository, _, rest = path.removeprefix("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        files = world.tree(revision)
        if repository not in (world.repository, world.renamed_to):
            self.answer(404, {"X-Error-Code": "RepoNotFound"})
        elif files is None or name not in files:
            self.answer(404, {"X-Error-Code": "EntryNotFound"})
        else:
            signature = f"s{len(world.signed)}"
            world.signed[signature] = (str(files[name]), world.uses_per_signature)
            commit = world.commit if revision == "main" else revision
            headers = {
                "Location": f"{world.storage_url}/{signature}?X-Signature=secret",
                "X-Repo-Commit": commit,
                "X-Linked-Size": str(files[name].stat().st_size),
            }
            self.answer(302, headers)

    def release(self, path: str) -> None:
        world = self.world
        if world.release_answer is not None:
            self.answer(*world.release_answer)
            return
        found = world.releases.get(path.removeprefix("/repos/"))
        if found is None:
            self.answer(404, {}, b'{"message": "Not Found"}')
        else:
            self.answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())


class _Storage(_Handler):
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
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        request = self.answer(status, {**headers, "Content-Length": str(end - start + 1)})
        left = end - start + 1
        if world.storage_stops_after is not None:
            left = min(left, world.storage_stops_after)
            self.close_connection = True
        with path.open("rb") as file:
            file.seek(start)
            while left > 0:
                chunk = file.read(min(left, 65536))
                try:
                    self.wfile.write(chunk)
                except OSError:  # the other side has enough
                    self.close_connection = True
                    return
                left -= len(chunk)
                request.sent_bytes += len(chunk)


class _Proxy(_Handler):
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
    for handler, attribute in ((_Hub, "hub_url"), (_Storage, "storage_url"), (_Proxy, "proxy_url")):
        bound = type(handler.__name__, (handler,), {"world": world})
        server = _Server(("127.0.0.1", 0), bound)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        setattr(world, attribute, f"http://127.0.0.1:{server.server_address[1]}")
        servers.append(server)
    try:
        yield world
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()

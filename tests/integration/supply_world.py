"""What the Hub, its storage and GitHub hold in tests, how they misbehave, what they were asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

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
    storage_starts_at: int | None = None  # where every part begins, whatever was asked
    storage_range: str | None = None  # told as the Content-Range of every part
    storage_drips: tuple[int, float] | None = None  # bytes at once, and seconds between
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


class Handler(BaseHTTPRequestHandler):
    """One request to one of the servers, which is written down."""

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

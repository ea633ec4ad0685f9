"""What the lab's HTTP servers share: files with ranges, signed links that expire, an access log."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

BLOCK = 1 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


class AccessLog:
    """One JSON object per request, so that a test can sum the bytes each client was sent."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("a", buffering=1) if path else None
        self._lock = threading.Lock()

    def write(self, **row: object) -> None:
        """Append one row."""
        if self._file:
            with self._lock:
                self._file.write(json.dumps(row) + "\n")


class Signer:
    """Signs paths with an end of validity, as a content network's links are signed."""

    def __init__(self, base_url: str, lifetime_s: float) -> None:
        self.base_url = base_url
        self.lifetime_s = lifetime_s
        self._secret = secrets.token_bytes(16)

    def url(self, path: str, lifetime_s: float | None = None) -> str:
        """A link to this path (which starts with a slash), valid for a while."""
        expires = int(time.time() + (self.lifetime_s if lifetime_s is None else lifetime_s))
        query = urlencode({"Expires": expires, "Signature": self._signature(path, expires)})
        return f"{self.base_url}{path}?{query}"

    def refusal(self, path: str, query: dict[str, str]) -> str | None:
        """Why this link is not served, or None."""
        expires = query.get("Expires", "")
        if not expires.isdigit() or "Signature" not in query:
            return "Missing Key-Pair-Id query parameter or cookie value"
        if not hmac.compare_digest(query["Signature"], self._signature(path, int(expires))):
            return "The request signature we calculated does not match"
        return "Request has expired" if int(expires) <= time.time() else None

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._secret, f"{path} {expires}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Fault:
    """How a transfer goes wrong on purpose; sizes in bytes, the rate in bytes per second."""

    corrupt: bool = False
    cut_after: int | None = None
    rate: int | None = None


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and length of a Range header; None for no (readable) range.

    Raises ValueError for a range outside the file: that is status 416.
    """
    match = _RANGE.match(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    if start > end:
        raise ValueError(header)
    return start, end - start + 1


class Handler(BaseHTTPRequestHandler):
    """Base of the handlers; a subclass answers in `respond`, for GET and HEAD alike."""

    protocol_version = "HTTP/1.1"
    server_version = "BoxwrightLab"
    sys_version = ""
    service = "files"
    log: AccessLog = AccessLog(None)

    def respond(self, path: str, query: dict[str, str]) -> None:
        """Answer one request; `path` is still percent-encoded."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer GET, and log it."""
        self._status, self._sent = 0, 0
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        try:
            self.respond(parts.path, query)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.log.write(
                time=datetime.now(UTC).isoformat(timespec="milliseconds"),
                service=self.service,
                client=self.client_address[0],
                method=self.command,
                path=self.path,
                range=self.headers.get("Range"),
                status=self._status,
                bytes_sent=self._sent,
            )

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on standard error: the access log has it all."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """Send the status line, and keep the status for the log."""
        self._status = int(code)
        super().send_response(code, message)

    def reply(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self._sent += len(body)

    def reply_json(
        self, content: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Send an answer as JSON."""
        self.reply(status, json.dumps(content).encode(), "application/json; charset=utf-8", headers)

    def reply_denied(self, reason: str) -> None:
        """Answer 403 the way an object store does."""
        body = f'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>{reason}</Message>'
        self.reply(403, (body + "</Error>").encode(), "application/xml")

    def redirect(self, url: str, headers: dict[str, str] | None = None) -> None:
        """Answer 302 to another address."""
        body = f"Found. Redirecting to {url}".encode()
        self.reply(302, body, "text/plain; charset=utf-8", {"Location": url, **(headers or {})})

    def reply_file(
        self, path: Path, headers: dict[str, str] | None = None, fault: Fault | None = None
    ) -> None:
        """Send a file, or the range of it that was asked for."""
        size = path.stat().st_size
        try:
            part = wanted_range(self.headers.get("Range"), size)
        except ValueError:
            self.reply(416, b"", "text/plain", {"Content-Range": f"bytes */{size}"})
            return
        start, length = part or (0, size)
        self.send_response(206 if part else 200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        if part:
            self.send_header("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send_bytes(path, start, length, fault or Fault())

    def _send_bytes(self, path: Path, start: int, length: int, fault: Fault) -> None:
        end = start + length
        if fault.cut_after is not None and length > fault.cut_after:
            end = start + fault.cut_after
            self.close_connection = True
        block = max(1, min(BLOCK, fault.rate // 10)) if fault.rate else BLOCK
        middle = path.stat().st_size // 2
        with path.open("rb") as file:
            while start < end:
                count = min(block, end - start)
                if fault.corrupt and start <= middle < start + count:
                    data = bytearray(os.pread(file.fileno(), count, start))
                    data[middle - start] ^= 0xFF
                    self.wfile.write(data)
                    sent = count
                else:
                    sent = os.sendfile(self.connection.fileno(), file.fileno(), start, count)
                start += sent
                self._sent += sent
                if fault.rate:
                    time.sleep(sent / fault.rate)


class Server(ThreadingHTTPServer):
    """A threaded server that a lab can stop and start again at once."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


def address(text: str) -> tuple[str, int]:
    """HOST:PORT of a command line."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def serve(*servers: Server) -> None:
    """Run these servers until the process is told to end."""
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


def arguments(description: str) -> argparse.ArgumentParser:
    """The command line that every server has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--listen", type=address, required=True, metavar="HOST:PORT")
    parser.add_argument("--log", type=Path)
    return parser

"""What the lab's HTTP servers share: answers, files with ranges, the command line."""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.lab.world.transfer import AccessLog, Fault, wanted_range

BLOCK = 1 << 20


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

    def reply_whole(self, path: Path, kind: str, headers: dict[str, str]) -> None:
        """Send a file from a server that knows no ranges."""
        size = path.stat().st_size
        self.send_response(200)
        for name, value in {"Content-Type": kind, "Content-Length": str(size), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send_bytes(path, 0, size, Fault())

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

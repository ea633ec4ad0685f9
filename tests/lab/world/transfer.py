"""Parts of the lab's HTTP servers: the access log, links that expire, ranges, faults on purpose."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

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

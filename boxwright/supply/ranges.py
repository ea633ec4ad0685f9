"""The first bytes of the Hub's files, fetched by HTTP Range until their headers can be read."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx

from boxwright.gguf import GgufError, GgufTruncated, Header, read_header
from boxwright.supply import http
from boxwright.supply.hub import Hub
from boxwright.supply.quants import Listed
from boxwright.supply.results import SupplyError

MIB = 1024**2
# the vocabulary lies in the first shard; the others hold little more than their tensor list
FIRST_SHARD_BYTES = 1 * MIB
OTHER_SHARD_BYTES = MIB // 4
# all that is wanted of a file has to come in this time and at this rate, a slow DSL line's
GRACE_S = 20.0
LEAST_BYTES_PER_S = 64 * 1024
CONTENT_RANGE = re.compile(
    r"bytes (?P<start>\d{1,18})-\d{1,18}/(?P<size>\d{1,18}|\*)", re.IGNORECASE
)
EXPIRED = frozenset({401, 403, 404, 410})  # what storage answers once a signed URL is too old


class RemoteFile:
    """One file of the Hub, whose beginning is fetched piece by piece into a local file."""

    def __init__(self, hub: Hub, commit: str, listed: Listed, path: Path) -> None:
        self.hub = hub
        self.commit = commit
        self.listed = listed
        self.path = path
        self.origin = hub.resolve_url(commit, listed.path)
        self.signed: httpx.URL | None = None
        self.have_bytes = 0
        self.last_status = 0
        self.started_s = time.monotonic()

    def header(self, first_bytes: int) -> Header:
        """The file's header, of which no more is fetched than it takes; raises SupplyError."""
        size = self.listed.size_bytes
        want = min(first_bytes, size)
        while True:
            self._fetch_up_to(want)
            try:
                return read_header(self.path, size)
            except GgufTruncated as error:
                if want >= size:
                    raise _unreadable(self.listed, error) from error
                rounded = -(-error.needed_bytes // MIB) * MIB
                want = min(max(rounded, self.have_bytes + MIB), size)
            except GgufError as error:
                raise _unreadable(self.listed, error) from error

    def _fetch_up_to(self, want: int) -> None:
        """Ask again from where the last answer broke off; signed URLs are renewed."""
        if self.have_bytes >= want:
            return
        session = self.hub.session
        for attempt, wait_s in enumerate((*http.RETRY_WAITS_S, None), 1):
            try:
                if self._fetch_some(want):
                    return
            except httpx.TransportError as error:
                given_up = wait_s is None or http.is_unknown_name(error)
                if given_up or self._is_late(want):
                    raise session.unreachable(self.signed or self.origin, error, attempt) from error
                self.signed = None
            if self._is_late(want):
                break
            if wait_s is not None:
                time.sleep(wait_s)
        tried = "1 attempt" if attempt == 1 else f"{attempt} attempts"
        raise SupplyError(
            f"{session.server.name} gave {self.have_bytes} of the first {want} bytes of"
            f" {self.listed.path} in {tried} (last: HTTP {self.last_status})",
            f"run again later, or check {session.server.option}",
        )

    def _fetch_some(self, want: int) -> bool:
        """One request for the bytes that are missing; True when none is missing any more."""
        url = self.signed or self._signed_url()
        wanted = {"Range": f"bytes={self.have_bytes}-{want - 1}"}
        with self.hub.session.stream(url, wanted) as response:
            self.last_status = response.status_code
            if response.status_code in EXPIRED and url != self.origin:
                self.signed = None
                return False
            if response.status_code in http.PASSING:
                return False
            if response.status_code not in (200, 206):
                raise self._wrong_answer(response)
            self._check_range(response)
            # a server that ignores Range sends the file from its start
            skip = self.have_bytes if response.status_code == 200 else 0
            self._write(response, skip, want)
        return self.have_bytes >= want

    def _signed_url(self) -> httpx.URL:
        """Where the Hub sends us for this file: another host, or the Hub itself on some mirrors."""
        response = self.hub.resolved(self.commit, self.listed.path)
        self.signed = response.request.url
        if response.status_code in http.REDIRECTS:
            self.signed = self.signed.join(response.headers["location"])
        return self.signed

    def _check_range(self, response: httpx.Response) -> None:
        """A part begins where it was asked for, and listing and storage mean the same file."""
        told_bytes = response.headers.get("content-length", "")
        if response.status_code == 206:
            told = response.headers.get("content-range", "")
            part = CONTENT_RANGE.fullmatch(told.strip())
            if part is None or int(part["start"]) != self.have_bytes:
                raise self._wrong_answer(response, f" with Content-Range '{told[:80]}'")
            told_bytes = part["size"]
        if told_bytes.isdigit() and int(told_bytes) != self.listed.size_bytes:
            raise SupplyError(
                f"{self.listed.path} is {told_bytes} bytes long in the Hub's storage,"
                f" needs the {self.listed.size_bytes} of its listing",
                "run again: the repository may just have changed",
            )

    def _write(self, response: httpx.Response, skip: int, want: int) -> None:
        with self.path.open("ab") as file:
            for chunk in response.iter_raw():
                part = chunk[skip : skip + want - self.have_bytes]
                skip = max(skip - len(chunk), 0)
                file.write(part)
                self.have_bytes += len(part)
                if self.have_bytes >= want:
                    return
                if self._is_late(want):
                    raise self._too_slow(response, want)

    def _is_late(self, want: int) -> bool:
        return time.monotonic() - self.started_s > _allowed_s(want)

    def _too_slow(self, response: httpx.Response, want: int) -> SupplyError:
        took_s = time.monotonic() - self.started_s
        return SupplyError(
            f"{_origin(response)} gave {self.have_bytes} of the first {want} bytes of"
            f" {self.listed.path} in {took_s:.1f} s, needs all of them in {_allowed_s(want):.1f} s",
            "run again later, check the network of this machine, or name a mirror with"
            " models_hub_url",
        )

    def _wrong_answer(self, response: httpx.Response, how: str = "") -> SupplyError:
        return SupplyError(
            f"{_origin(response)} answered HTTP {response.status_code}{how} for"
            f" {response.request.headers.get('range')} of {self.listed.path}, needs HTTP 206"
            f" and a Content-Range from {self.have_bytes} on",
            "run again later, or name a mirror with models_hub_url",
        )


def _origin(response: httpx.Response) -> str:
    return f"{response.request.url.scheme}://{response.request.url.netloc.decode()}"


def _allowed_s(want: int) -> float:
    """How long the first `want` bytes of a file may take, from its first request on."""
    return GRACE_S + want / LEAST_BYTES_PER_S


def _unreadable(listed: Listed, error: GgufError) -> SupplyError:
    return SupplyError(
        f"{listed.path} on the Hub is no model that can be planned for: {error}",
        "choose another quant or another repository",
    )


def fetch_headers(
    hub: Hub, commit: str, files: tuple[Listed, ...], directory: Path
) -> list[Header]:
    """The headers of all files, of which only the beginnings are fetched into `directory`."""
    headers = []
    for index, listed in enumerate(files):
        # same base names, so that sentences about a file name it as the Hub does
        path = directory / str(index) / Path(listed.path).name
        path.parent.mkdir()
        path.touch()
        first_bytes = OTHER_SHARD_BYTES if index else FIRST_SHARD_BYTES
        headers.append(RemoteFile(hub, commit, listed, path).header(first_bytes))
    return headers

"""The first bytes of the Hub's files, fetched by HTTP Range until their headers can be read."""

from __future__ import annotations

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
                if wait_s is None or http.is_unknown_name(error):
                    raise session.unreachable(self.signed or self.origin, error, attempt) from error
                self.signed = None
            if wait_s is not None:
                time.sleep(wait_s)
        raise SupplyError(
            f"{session.server.name} gave {self.have_bytes} of the first {want} bytes of"
            f" {self.listed.path} in {attempt} attempts (last: HTTP {self.last_status})",
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
            self._check_size(response)
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

    def _check_size(self, response: httpx.Response) -> None:
        """The Hub's listing and its storage have to mean the same file."""
        told = response.headers.get("content-range", "").rpartition("/")[2]
        if response.status_code == 206 and told.isdigit() and int(told) != self.listed.size_bytes:
            raise SupplyError(
                f"{self.listed.path} is {told} bytes long in the Hub's storage,"
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

    def _wrong_answer(self, response: httpx.Response) -> SupplyError:
        at = f"{response.request.url.scheme}://{response.request.url.netloc.decode()}"
        return SupplyError(
            f"{at} answered HTTP {response.status_code} for bytes"
            f" {response.request.headers.get('range')} of {self.listed.path}, needs HTTP 206",
            "run again later, or name a mirror with models_hub_url",
        )


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
